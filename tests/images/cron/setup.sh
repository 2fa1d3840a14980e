#!/bin/sh
set -eu

chmod 0644 "$ROOT/etc/cron.d/report"
