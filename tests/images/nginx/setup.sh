#!/bin/sh
set -eu

chmod +x "$ROOT/docker-entrypoint.sh"
mkdir -p "$ROOT/var/log/nginx" "$ROOT/etc/nginx/templates"
