#!/bin/sh
# Installs Debian packages whose programs are missing: packages.sh PROGRAM=PACKAGE…
# Nothing that a package brings is started: tests start their own, on their own ports and folders.
set -eu

PATH="$PATH:/usr/sbin:/sbin:/usr/local/bin"
missing=""
for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null 2>&1 || missing="$missing ${pair#*=}"
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
