# The client may be gone at any moment: what was begun is ended all the same, whether or not somebody listens.
trap '' HUP PIPE

# A change lies in a directory of its own, $C, whose marks say how far it is: armed, then confirmed or undoing, then undone or
# failed. A mark is taken by renaming it, which only one of two can do: the timer and whoever confirms.
# Whoever takes it leaves its number. $D/pending is there while a change waits for its confirmation.
take() { mv "$C/$1" "$C/$2" 2>/dev/null || return; echo $$ >"$C/taker"; return 0; }
leave() { held=; { read -r held <"$D/pending/change"; } 2>/dev/null; [ "$held" = "$C" ] && rm -rf "$D/pending"; return 0; }

# over CHANGE: whether its time is over, and a little more.
over() { [ "$(date +%s)" -gt $(($(cat "$1/begun" 2>/dev/null || echo 0) + $(cat "$1/timer" 2>/dev/null || echo 0) + GRACE)) ]; }

# works CHANGE FILE: whether the process whose number is there still works at the change. After a restart the number may be
# another's, so its words are looked at.
works() {
    { read -r number <"$1/$2"; } 2>/dev/null && kill -0 "$number" 2>/dev/null || return
    case $(words "$number") in *"$1"*) return 0 ;; *) return 1 ;; esac
}
busy() { works "$1" applying || works "$1" taker || works "$1" pid; }
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
        marks='armed undoing'
        # With a daemon that keeps the time itself nobody knows whether it was told to keep the change.
        own_timer && marks="$marks confirming"
        for mark in $marks; do
            mv "$other/$mark" "$other/$ENDED" 2>/dev/null || continue
            echo 'its timer failed to undo it, and another change came after it' >"$other/restore.log"
        done
    fi
    rm -rf "$D/pending"
    mkdir "$D/pending" 2>/dev/null
}

# How long whoever undoes a change waits for a commit that still runs, and between two tries, in seconds.
PATIENCE=900 PAUSE=5

# undo TRIES, once `undoing` is taken, which stays where they are not enough. Of two that change the configuration at once nobody
# knows which is last, so a commit that still runs comes first.
undo() {
    waited=0
    while works "$C" applying && [ $waited -lt $PATIENCE ]; do sleep 1; waited=$((waited + 1)); done
    if works "$C" applying; then : >"$C/hasty"; fi
    tries=$1
    while ! restore >"$C/restore.log" 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep $PAUSE
        # Taken over: what it would restore is older than what came since.
        [ -e "$C/undoing" ] || return 1
    done
    mv "$C/undoing" "$C/undone"
}

give_up() { mv "$C/undoing" "$C/failed" 2>/dev/null; }

# Whether a script waits on the router for the time, and not the daemon itself.
own_timer() { [ "$ENDED" = failed ]; }

# undo_now, once `undoing` is taken by somebody who is waited for: with a few tries, and then left to the timer, which has many.
# Until it is undone the timer is left alone: whoever undoes it may die.
undo_now() {
    if undo 3; then stop_timer; leave; return 0; fi
    [ -e "$C/undoing" ] || return 1
    own_timer || { give_up; return 1; }
    : >"$C/taker"
    LEFT=60
    stop_timer
    start_timer
    return 1
}

# With `-s`: Debian's shell takes `-TERM --` for no number.
stop_timer() { works "$C" pid && kill -s TERM -- "-$number" 2>/dev/null; return 0; }

# sign MORE: says who holds $D/pending, and since when.
sign() {
    now=$(date -u '+%s %FT%TZ')
    echo "$(id -un) from ${SSH_CONNECTION%% *}, since ${now#* }$1" >"$D/pending/who"
}

# Nobody commits meanwhile, and nobody has begun to.
hold() { { mkdir "$D/pending" 2>/dev/null || take_over; } && sign ', undoing'; }

# tell STATUS: what became of it, when whoever undoes it had a while; unless it was just left to the timer. The status is that of
# `undone`.
LEFT=0
tell() {
    waited=$LEFT
    while [ -e "$C/undoing" ] && [ $waited -lt 60 ]; do sleep 1; waited=$((waited + 1)); done
    if [ -e "$C/undone" ]; then section undone "$1"
    else
        if [ -e "$C/undoing" ]; then section undoing 1; else section failed 1; fi
        sed 's/^/ /' "$C/restore.log"
    fi
    end
}

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
    sign ", timer $T s"
    echo "$T" >"$C/timer"
    echo "${now% *}" >"$C/begun"
    echo $$ >"$C/applying"
    : >"$C/armed"
    echo "$C" >"$D/pending/change"
    # Whoever lost its answer may have called it off before it began.
    if [ -e "$C/barred" ] && take armed undone; then leave; section gone 1; end; fi
    arm
    apply >"$C/said"
    good=$?
    # Whoever undoes it need not wait from here on, however long nobody reads the answer.
    rm -f "$C/applying"
    if [ $good != 0 ] && take armed undoing; then undo_now; fi
    cat "$C/said"
    rm -f "$C/said"
    if [ $good != 0 ]; then
        if [ -e "$C/failed" ] || [ $LEFT != 0 ]; then tell 1; fi
        section refused 1
    elif [ -e "$C/armed" ] || [ -e "$C/confirming" ] || [ -e "$C/confirmed" ]; then
        section committed
    else
        overtaken
    fi
    end
}

# Somebody, or the timer, undid it while it came into force. Who did not wait for that restored what has gone again since.
overtaken() {
    if [ -e "$C/hasty" ]; then
        if hold && { take undone undoing || take failed undoing; }; then
            echo "$C" >"$D/pending/change"
            rm -f "$C/hasty"
            undo_now
        fi
    fi
    tell 1
}

# The script that waits. A daemon that does not answer now may do so a minute later.
watch() {
    [ -e "$C/undoing" ] || sleep "$T"
    dead=0
    until take armed undoing; do
        for mark in confirmed undone failed; do [ ! -e "$C/$mark" ] || exit 0; done
        [ -d "$C" ] || exit 0
        # Who confirms it gives it back if he cannot. From one that died, or that could not undo it, it is taken. One that has just
        # begun has not left his number yet, so he is looked for twice.
        if works "$C" taker; then dead=0; else dead=$((dead + 1)); fi
        if [ $dead -gt 1 ]; then
            take confirming undoing && break
            if [ -e "$C/undoing" ]; then echo $$ >"$C/taker"; break; fi
        fi
        sleep 1
    done
    if undo 60; then leave; else give_up; fi
}

# Whoever was confirming it is dead: it goes on waiting. What a daemon that keeps the time itself was told, nobody knows.
retake() {
    if own_timer && [ -e "$C/confirming" ] && ! works "$C" taker; then mv "$C/confirming" "$C/armed" 2>/dev/null; fi
    return 0
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
ended() {
    [ "$ENDED" = undone ] && [ -e "$C/armed" ] && over "$C" && ! works "$C" applying && take armed undone && { forget; leave; }
}

confirm() {
    ended
    retake
    if [ -e "$C/armed" ] && works "$C" applying; then section applying 1; end; fi
    if take armed confirming; then
        keep
        case $? in
        0) ;;
        # Not, or not as a whole: what is left of it goes too.
        1) if take confirming undoing; then undo_now; fi; tell 1 ;;
        *) mv "$C/confirming" "$C/armed" 2>/dev/null; section unknown 1; end ;;
        esac
        # If it was taken from him all the same, it is not his any more.
        if take confirming confirmed; then
            stop_timer
            save "$C/new/$NAME" || : >"$C/unsaved"
            leave
        fi
    fi
    [ -e "$C/unsaved" ] && { section unsaved 1; end; }
    [ -e "$C/confirmed" ] && { section confirmed; end; }
    [ -e "$C/confirming" ] && { section unknown 1; end; }
    if [ -e "$C/failed" ] || [ -e "$C/undoing" ]; then tell 1; fi
    section undone 1
    end
}

roll_back() {
    ended
    retake
    if take armed undoing; then
        undo_now
    elif [ -e "$C/confirmed" ]; then
        both alive alive || end
        undo_confirmed
    fi
    tell 0
}

# The last one only: with an older one all that came after it would go as well.
undo_confirmed() {
    hold || { section followed 1; end; }
    current "$C/now" || { rm -rf "$D/pending"; section unreadable 1; end; }
    if ! is_last || ! take confirmed undoing; then rm -rf "$D/pending"; section followed 1; end; fi
    echo "$C" >"$D/pending/change"
    FORCE=1
    undo 3 || { give_up; return; }
    save "$C/old/$NAME"
    good=$?
    leave
    [ $good = 0 ] || { section unsaved 1; end; }
}
is_last() { cmp -s "$C/now" "$(result)" || { [ -e "$C/unsaved" ] && cmp -s "$C/now" "$C/old/$NAME"; }; }

# Undoes it if it waits. One that has not begun yet never will.
cancel() {
    [ -d "$C" ] && : >"$C/barred"
    ended
    if waits && [ "$other" = "$C" ]; then roll_back; fi
    section settled
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
# What `current` shows when the change is in force.
result() { echo "$C/new/$NAME"; }
# Whether it is in force still, when its daemon is asked to keep it: 0, 1 if not, 2 if that is not known.
keep() { :; }
