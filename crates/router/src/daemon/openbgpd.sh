NAME=bgpd.conf GRACE=120 ENDED=failed
as_root
alive() { o=$(lim 20 $S bgpctl show 2>&1); r=$?; [ $r = 0 ] || printf '%s\n' "$o"; return $r; }
current() { $S cat "$FILE" >"$1" && [ -s "$1" ]; }
# The file is there at every moment, the old one or the new one.
install_file() { $S install -m 600 /dev/null "$FILE.new" && $S tee "$FILE.new" <"$1" >/dev/null && $S mv -f "$FILE.new" "$FILE"; }
check() { both check lim 60 $S bgpd -n -f /dev/stdin <"$C/new/bgpd.conf"; case $o in *'configuration OK'*) ;; *) return 1 ;; esac; }
arm() { since >"$C/since" || rm -f "$C/since"; start_timer; }
# Which process the daemon is. One that was started again is another one.
since() {
    p=$(pgrep -o -x bgpd) || return
    { read -r s <"/proc/$p/stat"; } 2>/dev/null || { echo "$p $(ps -o lstart= -p "$p")"; return; }
    # The start is the 22nd word; the name, which is the second in brackets, may have blanks in it.
    set -- ${s##*) }
    shift 19
    echo "$p $1"
}
# A daemon that was started again has read the old file. Where nobody may see its process this is not known, and not asked.
keep() {
    alive >/dev/null || return 2
    [ -s "$C/since" ] || return 0
    [ "$(since)" = "$(cat "$C/since")" ]
}
reload() { install_file "$1" || return; o=$(lim 120 $S bgpctl reload 2>&1); printf '%s\n' "$o"; case $o in *failed*) return 1 ;; *'request processed'*) ;; *) return 1 ;; esac; }
# The file is the old one again at once: a restart before the confirmation undoes the change.
apply() { both apply reload "$C/new/bgpd.conf"; r=$?; install_file "$C/old/bgpd.conf" && return $r; }
restore() { reload "$C/old/bgpd.conf"; }
save() { install_file "$1"; }
