NAME=bgpd.conf GRACE=120 ENDED=failed
as_root
alive() { o=$(lim 20 $S bgpctl show 2>&1); r=$?; [ $r = 0 ] || printf '%s\n' "$o"; return $r; }
current() { $S cat "$FILE" >"$1" && [ -s "$1" ]; }
# The file is there at every moment, the old one or the new one.
install_file() { $S install -m 600 "$1" "$FILE.new" && $S mv -f "$FILE.new" "$FILE"; }
check() { both check lim 60 $S bgpd -n -f "$C/new/bgpd.conf"; case $o in *'configuration OK'*) ;; *) return 1 ;; esac; }
arm() { start_timer; }
reload() { install_file "$1" || return; o=$(lim 120 $S bgpctl reload 2>&1); printf '%s\n' "$o"; case $o in *failed*) return 1 ;; *'request processed'*) ;; *) return 1 ;; esac; }
# The file is the old one again at once: a restart before the confirmation undoes the change.
apply() { both apply reload "$C/new/bgpd.conf"; r=$?; install_file "$C/old/bgpd.conf" && return $r; }
restore() { reload "$C/old/bgpd.conf"; }
save() { install_file "$1"; }
