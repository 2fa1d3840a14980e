#!/bin/sh
# Installs Debian packages that are missing: packages.sh PROGRAM=PACKAGE… PACKAGE…
# With a program's name any program of that name will do, such as a docker client from elsewhere.
# Nothing that a package brings is started: tests start their own, on their own ports and folders.
set -eu

PATH="$PATH:/usr/sbin:/sbin:/usr/local/bin"
missing=""
is_there() {
    case $1 in
    *=*) command -v "${1%%=*}" ;;
    *) dpkg-query -W -f '${Status}' "$1" | grep -q '^install ok installed$' ;;
    esac
}
for wanted in "$@"; do
    is_there "$wanted" >/dev/null 2>&1 || missing="$missing ${wanted#*=}"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "error: these packages are missing, and there is no apt-get to install them:$missing" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "error: these packages are missing:$missing; install them, or run this as root" >&2
    exit 1
fi
echo "installing$missing"

# Debian asks this file whether it may start a service after installing it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # The list is meant to be split.
install_missing() { apt-get install -y --no-install-recommends $missing >/dev/null; }
install_missing 2>/dev/null || { apt-get update -q >/dev/null && install_missing; }
