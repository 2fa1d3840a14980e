#!/bin/sh
# Makes the database in the volume when it is empty, then becomes the server, as the user mysql.
set -eu

if [ "${1:-}" != mariadbd ]; then exec "$@"; fi

mkdir -p /run/mysqld
chown mysql:mysql /var/lib/mysql /run/mysqld
if [ ! -d /var/lib/mysql/mysql ]; then
    if [ -z "${MARIADB_ROOT_PASSWORD:-}" ]; then
        echo 'error: the database is empty and has no password: set MARIADB_ROOT_PASSWORD' >&2
        exit 1
    fi
    mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db >/dev/null
    umask 077
    {
        echo "ALTER USER root@localhost IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';"
        echo "CREATE USER root@'%' IDENTIFIED BY '$MARIADB_ROOT_PASSWORD';"
        echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
        if [ -n "${MARIADB_DATABASE:-}" ]; then echo "CREATE DATABASE \`$MARIADB_DATABASE\`;"; fi
    } >/run/mysqld/first.sql
    chown mysql:mysql /run/mysqld/first.sql
    set -- "$@" --init-file=/run/mysqld/first.sql
fi
exec "$@" --user=mysql --datadir=/var/lib/mysql --bind-address=0.0.0.0
