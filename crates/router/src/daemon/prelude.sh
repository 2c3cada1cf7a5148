set -u
umask 077
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
# Every process that is started costs a millisecond of the router's, so what the shell can do itself it does.
S=
as_root() { [ "$(id -u)" = 0 ] || S='sudo -n'; }
lim() { if command -v timeout >/dev/null; then timeout "$@"; else shift; "$@"; fi; }
# Anything that went wrong shows in the last line too: then what was said on standard error is waited for.
BAD=0
section() { [ "${2:-0}" = 0 ] || BAD=1; printf '@@ %s %s\n' "$1" "${2:-0}"; }
NL='
'
# The lines of a text, each with a space in front.
lines() {
    if [ ${#1} -gt 500 ]; then printf '%s\n' "$1" | sed 's/^/ /'; return; fi
    while :; do
        case $1 in
        *"$NL"*) printf ' %s\n' "${1%%"$NL"*}"; set -- "${1#*"$NL"}" ;;
        *) printf ' %s\n' "$1"; return ;;
        esac
    done
}
ask() { n=$1; shift; o=$("$@"); r=$?; section "$n" "$r"; lines "$o"; return $r; }
both() { n=$1; shift; o=$("$@" 2>&1); r=$?; section "$n" "$r"; lines "$o"; return $r; }
file() { section "$1"; sed 's/^/ /' "$2"; echo; }
end() { section end $BAD; exit 0; }
