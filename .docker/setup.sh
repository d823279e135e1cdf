#!/bin/sh
# Makes .env and secrets/, which the repository must not hold. What is there already is kept.
set -eu
host=${1:?usage: sh .docker/setup.sh HOST, for example cells.example.org}
cd "$(dirname "$0")"
umask 077
random() { od -An -v -N24 -tx1 /dev/urandom | tr -d ' \n'; }

uid=$(id -u)
[ "$uid" != 0 ] || uid=10001
mkdir -p secrets certs
[ -s secrets/db_password ] || random > secrets/db_password
[ -s secrets/pgpass ] || printf '*:*:*:*:%s\n' "$(cat secrets/db_password)" > secrets/pgpass
[ -s secrets/login.toml ] ||
	sed "s/HOST/$host/; s/COOKIE_SECRET/$(random)/" login.toml.example > secrets/login.toml
[ -s .env ] || sed "s/=HOST$/=$host/; s/^SCANVI_UID=.*/SCANVI_UID=$uid/" env.example > .env
[ "$(id -u)" != 0 ] || chown "$uid" secrets/login.toml secrets/pgpass
echo "Now fill in .docker/.env and .docker/secrets/login.toml."
