#!/bin/sh
# Makes the files of an image's own layer: layer.sh RECIPE BASE LAYER PACKAGE…
# Installs Debian's packages over the root BASE (an empty one is allowed), puts the recipe's files over that, lets the
# recipe's setup.sh finish it, and leaves what differs from BASE in LAYER. Run it in a mount namespace of its own.
set -eu

recipe=$1 base=$2 layer=$3
shift 3
work=$layer.work
root=$layer.root
rm -rf "$layer" "$work" "$root"
mkdir -p "$layer" "$work" "$root"
mount -t overlay overlay -o "lowerdir=$base,upperdir=$layer,workdir=$work" "$root"

if [ $# -gt 0 ]; then
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    # Nothing that a package brings is started while an image is made.
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod +x "$root/usr/sbin/policy-rc.d"
    if [ -x "$recipe/before.sh" ]; then ROOT=$root "$recipe/before.sh"; fi
    export DEBIAN_FRONTEND=noninteractive
    chroot "$root" apt-get update -q
    chroot "$root" apt-get install -y --no-install-recommends "$@"
    chroot "$root" apt-get clean
    rm -rf "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf"
    umount -R "$root/dev" "$root/proc"
fi
if [ -d "$recipe/root" ]; then cp -R "$recipe/root/." "$root/"; fi
if [ -x "$recipe/setup.sh" ]; then ROOT=$root "$recipe/setup.sh"; fi
umount "$root"
rmdir "$root"
rm -rf "$work"
# What the layer took away from the base, as archives of layers write it.
find "$layer" -type c | while read -r gone; do
    rm "$gone"
    : >"$(dirname "$gone")/.wh.$(basename "$gone")"
done
