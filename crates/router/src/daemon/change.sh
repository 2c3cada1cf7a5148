# The client may be gone at any moment: what was begun is ended all the same, whether or not somebody listens.
trap '' HUP PIPE

# A change lies in a directory of its own, $C, whose marks say how far it is: armed, then confirmed or undoing, then undone or
# failed. A mark is taken by renaming it, which only one of two can do: the timer and whoever confirms.
# Whoever takes it leaves its number. $D/pending is there while a change waits for its confirmation.
take() { mv "$C/$1" "$C/$2" 2>/dev/null || return; echo $$ >"$C/taker"; return 0; }
leave() { held=; { read -r held <"$D/pending/change"; } 2>/dev/null; [ "$held" = "$C" ] && rm -rf "$D/pending"; return 0; }

# over CHANGE: whether its time is over, and a little more.
over() { [ "$(date +%s)" -gt $(($(cat "$1/begun" 2>/dev/null || echo 0) + $(cat "$1/timer" 2>/dev/null || echo 0) + GRACE)) ]; }

# busy CHANGE: whether a process still works at it. After a restart its number may be another's, so its words are looked at.
busy() {
    for number in "$1/applying" "$1/taker" "$1/pid"; do
        { read -r number <"$number"; } 2>/dev/null && kill -0 "$number" 2>/dev/null || continue
        case $(words "$number") in *"$1"*) return 0 ;; esac
    done
    return 1
}
words() { { tr '\0' ' ' <"/proc/$1/cmdline" || ps -ww -o args= -p "$1"; } 2>/dev/null; }

# stale CHANGE: whether nothing can come of it any more.
stale() {
    [ -n "$1" ] || { [ -n "$(find "$D/pending" -maxdepth 0 -mmin +10 2>/dev/null)" ]; return; }
    [ -e "$1/armed" ] || [ -e "$1/confirming" ] || [ -e "$1/undoing" ] || return 0
    over "$1" && ! busy "$1"
}

# waits: whether a change of this program does.
waits() {
    [ -d "$D/pending" ] || return 1
    other=$(cat "$D/pending/change" 2>/dev/null)
    ! stale "$other"
}

# Takes over from a change of which nothing can come. What became of it is settled with that: it can neither be confirmed nor
# undone over the change that comes now.
take_over() {
    other=$(cat "$D/pending/change" 2>/dev/null)
    stale "$other" || return
    if [ -n "$other" ]; then
        # Of several one only, and nothing that came meanwhile.
        mv "$D/pending/change" "$C/over" 2>/dev/null || return
        [ "$(cat "$C/over")" = "$other" ] || { mv "$C/over" "$D/pending/change"; return 1; }
        for mark in armed undoing; do
            mv "$other/$mark" "$other/$ENDED" 2>/dev/null || continue
            echo 'its timer failed to undo it, and another change came after it' >"$other/restore.log"
        done
    fi
    rm -rf "$D/pending"
    mkdir "$D/pending" 2>/dev/null
}

# undo TRIES
undo() {
    tries=$1
    while ! restore >"$C/restore.log" 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { mv "$C/undoing" "$C/failed"; return 1; }
        sleep 5
        # Taken over: what it would restore is older than what came since.
        [ -e "$C/undoing" ] || return 1
    done
    mv "$C/undoing" "$C/undone"
    leave
}

# With `-s`: Debian's shell takes `-TERM --` for no number.
stop_timer() { [ -s "$C/pid" ] && kill -s TERM -- "-$(cat "$C/pid")" 2>/dev/null; return 0; }

load() {
    mkdir -p "$D" || { section nowhere 1; end; }
    # Nobody waits for old ones to go.
    { find "$D" -maxdepth 1 -name 'c.*' -mtime +7 -exec rm -rf {} +; tidy; } </dev/null >/dev/null 2>&1 &
    C=$(mktemp -d "$D/c.XXXXXXXX") || { section nowhere 1; end; }
    mkdir "$C/old" "$C/new"
    cat >"$C/new/$NAME"
    section change; echo " $C"
    section received; echo " $(wc -c <"$C/new/$NAME")"
    both alive alive && current "$C/old/$NAME" && section current && check && file old "$C/old/$NAME" || BAD=1
    end
}

commit() {
    [ -d "$C/old" ] || { section gone 1; end; }
    cat >"$C/restore"
    # Half a script would restore nothing: without its last line nothing is begun.
    [ "$(tail -n 1 "$C/restore")" = watch ] || { section cut 1; end; }
    both alive alive || end
    current "$C/now" || { section unreadable 1; end; }
    cmp -s "$C/now" "$C/old/$NAME" || { section changed 1; end; }
    rm -f "$C/now"
    if ! mkdir "$D/pending" 2>/dev/null; then
        take_over || { section busy 1; sed 's/^/ /' "$D/pending/who"; end; }
        # Somebody may have done something by hand meanwhile.
        if unconfirmed; then rm -rf "$D/pending"; section alive 3; end; fi
    fi
    now=$(date -u '+%s %FT%TZ')
    echo "$(id -un) from ${SSH_CONNECTION%% *}, since ${now#* }, timer $T s" >"$D/pending/who"
    echo "$T" >"$C/timer"
    echo "${now% *}" >"$C/begun"
    echo $$ >"$C/applying"
    : >"$C/armed"
    echo "$C" >"$D/pending/change"
    arm
    if apply; then
        rm -f "$C/applying"
        section committed
        end
    fi
    rm -f "$C/applying"
    if take armed undoing; then
        stop_timer
        undo 3 || { section failed 1; sed 's/^/ /' "$C/restore.log"; end; }
    fi
    section refused 1
    end
}

# The script that waits. A daemon that does not answer now may do so a minute later.
watch() {
    sleep "$T"
    take armed undoing || exit 0
    waited=0
    while [ -e "$C/applying" ] && kill -0 "$(cat "$C/applying")" 2>/dev/null && [ $waited -lt 900 ]; do
        sleep 1
        waited=$((waited + 1))
    done
    undo 60
}

start_timer() {
    if command -v setsid >/dev/null; then
        setsid sh "$C/restore" </dev/null >/dev/null 2>&1 &
    else
        nohup sh "$C/restore" </dev/null >/dev/null 2>&1 &
    fi
    echo $! >"$C/pid"
}

# Where the daemon keeps the time itself, nothing but the time tells that it is over.
ended() { [ "$ENDED" = undone ] && [ -e "$C/armed" ] && over "$C" && take armed undone && { forget; leave; }; }

confirm() {
    ended
    if take armed confirming; then
        keep
        case $? in
        0) ;;
        1) mv "$C/confirming" "$C/undone"; leave; section undone 1; end ;;
        *) mv "$C/confirming" "$C/armed"; section unknown 1; end ;;
        esac
        stop_timer
        mv "$C/confirming" "$C/confirmed"
        save "$C/new/$NAME" || { leave; section unsaved 1; end; }
        leave
    fi
    [ -e "$C/confirmed" ] && { section confirmed; end; }
    [ -e "$C/confirming" ] && { section unknown 1; end; }
    [ -e "$C/failed" ] && { section failed 1; sed 's/^/ /' "$C/restore.log"; end; }
    section undone 1
    end
}

roll_back() {
    ended
    if take armed undoing; then
        stop_timer
        undo 3
    elif take confirmed undoing; then
        FORCE=1
        undo 3 && { save "$C/old/$NAME" || { section unsaved 1; end; }; }
    fi
    waited=0
    while [ -e "$C/undoing" ] && [ $waited -lt 60 ]; do sleep 1; waited=$((waited + 1)); done
    if [ -e "$C/undone" ]; then section undone; else section failed 1; sed 's/^/ /' "$C/restore.log"; fi
    end
}

discard() {
    case $C in "$D"/c.*) forget; rm -rf "$C" ;; esac
    section discarded
    end
}

pending() {
    if waits && [ -n "$other" ]; then
        section pending; echo " $other $(cat "$other/timer")"
    else
        if unconfirmed; then section foreign; fi
    fi
    end
}
forget() { :; }
tidy() { :; }
unconfirmed() { return 1; }
keep() { :; }
