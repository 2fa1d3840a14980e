#!/bin/sh
set -eu

chmod +x "$ROOT/docker-entrypoint.sh"
mkdir -p "$ROOT/var/lib/postgresql/data"
chroot "$ROOT" chown postgres:postgres /var/lib/postgresql/data
