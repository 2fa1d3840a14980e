#!/bin/sh
# Expands each template from the environment, then becomes the given program.
set -eu

for template in /etc/nginx/templates/*.template; do
    [ -e "$template" ] || continue
    # Only names that are in the environment: nginx has variables of its own.
    names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/${\1}/p' | tr '\n' ' ')
    envsubst "$names" <"$template" >"/etc/nginx/conf.d/$(basename "$template" .template)"
done
exec "$@"
