set -u
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
S=
[ "$(id -u)" = 0 ] || S='sudo -n'
lim() { if command -v timeout >/dev/null; then timeout "$@"; else shift; "$@"; fi; }
# Anything that went wrong shows in the last line too: then what was said on standard error is waited for.
BAD=0
section() { [ "${2:-0}" = 0 ] || BAD=1; printf '@@ %s %s\n' "$1" "${2:-0}"; }
ask() { n=$1; shift; o=$("$@"); r=$?; section "$n" "$r"; printf '%s\n' "$o" | sed 's/^/ /'; return $r; }
both() { n=$1; shift; o=$("$@" 2>&1); r=$?; section "$n" "$r"; printf '%s\n' "$o" | sed 's/^/ /'; return $r; }
file() { section "$1"; sed 's/^/ /' "$2"; echo; }
end() { section end $BAD; exit 0; }
