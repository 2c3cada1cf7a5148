NAME=gobgpd.toml GRACE=120 ENDED=failed
as_root
alive() { o=$(lim 20 gobgp -j neighbor 2>&1); r=$?; [ $r = 0 ] || printf '%s\n' "$o"; return $r; }
current() { cat "$FILE" >"$1" && [ -s "$1" ]; }
check() { both check lim 60 gobgpd -d -f "$C/new/gobgpd.toml" --pprof-disable; }
arm() { start_timer; }
# The file is there at every moment, the old one or the new one; its owner and mode stay.
install_file() { $S cp -p "$FILE" "$FILE.new" && $S tee "$FILE.new" <"$1" >/dev/null && $S mv -f "$FILE.new" "$FILE"; }
reload() { install_file "$1" && $S pkill -HUP -x gobgpd; }
apply() { both apply reload "$C/new/gobgpd.toml"; }
# A daemon that was started again has read the new file, unless that is another one by now.
keep() { alive >/dev/null || return 2; cmp -s "$FILE" "$C/new/gobgpd.toml"; }
restore() { reload "$C/old/gobgpd.toml" && lim 20 gobgp global; }
save() { :; }
