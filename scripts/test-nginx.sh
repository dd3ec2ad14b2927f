#!/bin/sh
# Tests deploy/nginx with the real nginx, which is installed from Debian if it is missing (as root).
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:/usr/sbin:$PATH"
export PATH

if ! command -v nginx >/dev/null; then
  if [ "$(id -u)" -ne 0 ]; then
    echo 'nginx is missing; install it, or run this as root.' >&2
    exit 1
  fi
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends nginx-light
fi

nginx -v
KEYWARD_TEST_NGINX=$(command -v nginx) exec vitest run test/nginx "$@"
