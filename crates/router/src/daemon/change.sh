# The client may be gone at any moment: what was begun is ended all the same, whether or not somebody listens.
trap '' HUP PIPE

# A change lies in a directory of its own, $C, whose marks say how far it is: armed, then confirmed or undoing, then undone or
# failed. A mark is taken by renaming it, which only one of two can do: the timer and whoever confirms.
# $D/pending is there while a change waits for its confirmation.
leave() { held=; { read -r held <"$D/pending/change"; } 2>/dev/null; [ "$held" = "$C" ] && rm -rf "$D/pending"; return 0; }

# stale CHANGE: whether nothing can come of it any more.
stale() {
    [ -n "$1" ] || { [ -n "$(find "$D/pending" -maxdepth 0 -mmin +10 2>/dev/null)" ]; return; }
    [ -e "$1/armed" ] || [ -e "$1/confirming" ] || [ -e "$1/undoing" ] || return 0
    [ "$(date +%s)" -gt $(($(cat "$1/begun" 2>/dev/null || echo 0) + $(cat "$1/timer" 2>/dev/null || echo 0) + GRACE)) ]
}

# undo TRIES
undo() {
    tries=$1
    while ! restore >"$C/restore.log" 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { mv "$C/undoing" "$C/failed"; return 1; }
        sleep 5
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
        other=$(cat "$D/pending/change" 2>/dev/null)
        if stale "$other"; then rm -rf "$D/pending"; fi
        mkdir "$D/pending" 2>/dev/null || { section busy 1; sed 's/^/ /' "$D/pending/who"; end; }
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
    if mv "$C/armed" "$C/undoing" 2>/dev/null; then
        stop_timer
        undo 3 || { section failed 1; sed 's/^/ /' "$C/restore.log"; end; }
    fi
    section refused 1
    end
}

# The script that waits. A daemon that does not answer now may do so a minute later.
watch() {
    sleep "$T"
    mv "$C/armed" "$C/undoing" 2>/dev/null || exit 0
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

confirm() {
    if mv "$C/armed" "$C/confirming" 2>/dev/null; then
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
    section undone 1
    end
}

roll_back() {
    if mv "$C/armed" "$C/undoing" 2>/dev/null; then
        stop_timer
        undo 3
    elif mv "$C/confirmed" "$C/undoing" 2>/dev/null; then
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
    other=$(cat "$D/pending/change" 2>/dev/null)
    if [ -n "$other" ] && ! stale "$other"; then
        section pending; echo " $other $(cat "$other/timer")"
    else
        foreign
    fi
    end
}
forget() { :; }
tidy() { :; }
foreign() { :; }
keep() { :; }
