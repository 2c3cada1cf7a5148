NAME=frr.conf GRACE=120 ENDED=failed
as_root
alive() { o=$(lim 20 vtysh -c 'show bgp summary json' 2>&1); r=$?; [ $r = 0 ] || printf '%s\n' "$o"; return $r; }
current() { lim 60 vtysh -c 'show running-config' >"$1.raw" || return 1; sed -n '/^frr version/,$p' "$1.raw" >"$1"; rm -f "$1.raw"; [ -s "$1" ]; }
# With a directory of its own frr-reload.py does not write the new configuration to the disk: a restart undoes it.
reload() { mode=$1; shift; lim 900 $S /usr/lib/frr/frr-reload.py "$mode" --stdout --confdir "$1" "$1/frr.conf"; }
check() {
    both check lim 60 vtysh -C -f "$C/new/frr.conf" || return
    [ "$HOW" = merge ] || ask difference reload --test "$C/new"
}
arm() { start_timer; }
apply() {
    if [ "$HOW" = merge ]; then both apply lim 300 vtysh -f "$C/new/frr.conf" && current "$C/after"; return; fi
    both apply reload --reload "$C/new" && current "$C/after" || return
    ask remaining reload --test "$C/new"
}
result() { echo "$C/after"; }
# A daemon that was started again has read what is on the disk. What was added must be there, and what was taken away must
# not; what somebody else did besides is his.
keep() {
    alive >/dev/null && current "$C/now" || return 2
    for one in old/frr.conf after now; do sort -u "$C/$one" >"$C/${one%/*}.sorted" || return 2; done
    lacks=$(comm -13 "$C/old.sorted" "$C/after.sorted" | comm -23 - "$C/now.sorted")
    again=$(comm -23 "$C/old.sorted" "$C/after.sorted" | comm -12 - "$C/now.sorted")
    rm -f "$C"/*.sorted "$C/now"
    [ -z "$lacks$again" ]
}
restore() { reload --reload "$C/old"; }
save() { o=$(lim 60 $S vtysh -c 'write memory' 2>&1); case $o in *'[OK]'*) return 0 ;; esac; section saving 1; printf '%s\n' "$o" | sed 's/^/ /'; return 1; }
