set -u
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
S=
[ "$(id -u)" = 0 ] || S='sudo -n'
lim() { if command -v timeout >/dev/null; then timeout "$@"; else shift; "$@"; fi; }
section() { printf '@@ %s %s\n' "$1" "${2:-0}"; }
ask() { n=$1; shift; o=$("$@"); r=$?; section "$n" "$r"; printf '%s\n' "$o" | sed 's/^/ /'; return $r; }
both() { n=$1; shift; o=$("$@" 2>&1); r=$?; section "$n" "$r"; printf '%s\n' "$o" | sed 's/^/ /'; return $r; }
file() { section "$1"; sed 's/^/ /' "$2"; echo; }
end() { section end; exit 0; }
