#!/bin/sh
# Makes the database in the volume when it is empty, then becomes the server, as the user postgres.
set -eu

if [ "${1:-}" != postgres ]; then exec "$@"; fi
as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }

mkdir -p "$PGDATA" /run/postgresql
chown postgres:postgres "$PGDATA" /run/postgresql
chmod 0700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -z "${POSTGRES_PASSWORD:-}" ]; then
        echo 'Error: Database is uninitialized and superuser password is not specified: set POSTGRES_PASSWORD' >&2
        exit 1
    fi
    secret=$(mktemp)
    chown postgres "$secret"
    printf '%s\n' "$POSTGRES_PASSWORD" >"$secret"
    as_postgres initdb --username="${POSTGRES_USER:-postgres}" --pwfile="$secret" \
        --auth-local=trust --auth-host=scram-sha-256 --no-sync
    rm "$secret"
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec setpriv --reuid=postgres --regid=postgres --init-groups "$@" -c listen_addresses='*'
