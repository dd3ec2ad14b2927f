#!/bin/sh
# Runs the api tests with every instance behind the real PgBouncer, in transaction mode and without
# prepared statements. PgBouncer is installed from Debian if it is missing (as root).
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:/usr/sbin:$PATH"
export PATH

if ! command -v pgbouncer >/dev/null; then
  if [ "$(id -u)" -ne 0 ]; then
    echo 'pgbouncer is missing; install it, or run this as root.' >&2
    exit 1
  fi
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends pgbouncer
fi

pgbouncer --version
[ "$#" -gt 0 ] || set -- test/api
KEYWARD_TEST_PGBOUNCER=$(command -v pgbouncer) exec vitest run "$@"
