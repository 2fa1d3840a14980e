#!/bin/sh
# The package would make a database of its own: each container makes one in its volume.
set -eu

mkdir -p "$ROOT/etc/postgresql-common"
echo 'create_main_cluster = false' >"$ROOT/etc/postgresql-common/createcluster.conf"
