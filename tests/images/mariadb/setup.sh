#!/bin/sh
set -eu

chmod +x "$ROOT/docker-entrypoint.sh"
# The package's own database: each container makes one in its volume.
rm -rf "$ROOT"/var/lib/mysql/*
