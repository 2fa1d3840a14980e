#!/bin/sh
# A root of one program, Debian's static busybox, under all its names.
set -eu

mkdir -p "$ROOT"/bin "$ROOT"/etc "$ROOT"/home "$ROOT"/root "$ROOT"/usr/bin "$ROOT"/usr/sbin "$ROOT"/var/www
mkdir -p -m 1777 "$ROOT/tmp"
cp "$(command -v busybox)" "$ROOT/bin/busybox"
chroot "$ROOT" /bin/busybox --install -s /bin
printf 'root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33:www-data:/var/www:/bin/false\nnobody:x:65534:65534:nobody:/home:/bin/false\n' >"$ROOT/etc/passwd"
printf 'root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n' >"$ROOT/etc/group"
