#!/bin/sh
# Tests deploy/nginx and deploy/caddy against the real programs: those that KEYWARD_TEST_NGINX and
# KEYWARD_TEST_CADDY name, else those on the PATH. What is not installed is skipped, and said so.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH:/usr/sbin"
export PATH

KEYWARD_TEST_NGINX=${KEYWARD_TEST_NGINX-$(command -v nginx || true)}
KEYWARD_TEST_CADDY=${KEYWARD_TEST_CADDY-$(command -v caddy || true)}
export KEYWARD_TEST_NGINX KEYWARD_TEST_CADDY

if [ -n "$KEYWARD_TEST_NGINX" ]; then
  "$KEYWARD_TEST_NGINX" -v
else
  echo 'nginx is not installed: its tests are SKIPPED (Debian: apt-get install nginx-light).' >&2
fi
if [ -n "$KEYWARD_TEST_CADDY" ]; then
  echo "caddy version: $("$KEYWARD_TEST_CADDY" version)"
else
  echo 'caddy is not installed: its tests are SKIPPED (Debian: apt-get install caddy).' >&2
fi

exec vitest run test/gateways "$@"
