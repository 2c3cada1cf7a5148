NAME=bird.conf GRACE=2 ENDED=undone FORCE=
K=${FILE%/*}/.candidate.c
[ -z "$C" ] || K=${FILE%/*}/.candidate.${C##*/}
alive() {
    o=$(lim 20 birdc configure status 2>&1) || { printf '%s\n' "$o"; return 1; }
    case $o in *unconfirmed*) waits || { printf 'unconfirmed\n'; return 3; } ;; esac
}
unconfirmed() { o=$(lim 20 birdc configure status 2>&1); case $o in *unconfirmed*) return 0 ;; *) return 1 ;; esac; }
current() { cat "$FILE" >"$1"; }
# place TEXT: beside the configuration, so that what it includes is found; and for those to read who may read that, of whom BIRD is
# one. To give it to another user takes root, to another group being in it.
place() {
    K=${FILE%/*}/.candidate.${C##*/}
    set -- "$1" $(stat -c '%u %g %a' "$FILE" 2>/dev/null || stat -f '%u %g %Lp' "$FILE")
    [ $# = 4 ] && cp "$1" "$K" && permit "$2" "$3" "$4" && chmod "$4" "$K" && return
    rm -f "$K"
    return 1
}
# permit OWNER GROUP MODE
permit() {
    chown "$1:$2" "$K" 2>/dev/null && return
    case $3 in
    *[4-7]) chgrp "$2" "$K" 2>/dev/null; return 0 ;;
    *[4-7]?) chgrp "$2" "$K" 2>/dev/null && return; why="belongs to group $2, and $(id -un) is not in it" ;;
    *) why='is for its owner alone to read' ;;
    esac
    echo "BIRD could not read what $(id -un) writes: $FILE $why" >&2
    return 1
}
check() { place "$C/new/bird.conf" || return; both check lim 60 birdc "configure check \"$K\""; case $o in *'Configuration OK'*) ;; *) rm -f "$K"; return 1 ;; esac; }
arm() { :; }
apply() {
    both apply lim 120 birdc "configure \"$K\" timeout $T"
    case $o in *'ndo scheduled'*) ;; *) return 1 ;; esac
    case $o in *Reconfigured*|*'Reconfiguration in progress'*) ;; *) return 1 ;; esac
    # Its time begins when it has read the file.
    date +%s >"$C/now" && mv "$C/now" "$C/begun"
}
keep() {
    o=$(lim 30 birdc configure confirm 2>&1)
    case $o in *'Reconfiguration confirmed'*) return 0 ;; *'Nothing to do'*) return 1 ;; *) return 2 ;; esac
}
restore() {
    if [ -n "$FORCE" ]; then
        place "$C/old/bird.conf" || return
        o=$(lim 120 birdc "configure \"$K\"" 2>&1); echo "$o"
        case $o in *Reconfigured*|*'Reconfiguration in progress'*) return 0 ;; *) return 1 ;; esac
    fi
    o=$(lim 60 birdc configure status 2>&1); echo "$o"
    case $o in
    *unconfirmed*) ;;
    # It has undone the change by itself, or never taken it: then the undo would be that of the change before it.
    *'up and running'*|*'Reconfiguration in progress'*) rm -f "$K"; return 0 ;;
    *) return 1 ;;
    esac
    o=$(lim 60 birdc configure undo 2>&1); echo "$o"
    case $o in *'ndo requested'*|*'Nothing to do'*) rm -f "$K" ;; *) return 1 ;; esac
}
save() { place "$1" && mv "$K" "$FILE"; }
forget() { rm -f "$K"; }
tidy() { find "${FILE%/*}/" -maxdepth 1 -name '.candidate.c.*' -mtime +7 -exec rm -f {} + 2>/dev/null; }
