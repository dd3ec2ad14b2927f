#!/bin/sh
# Tests deploy/nginx, deploy/caddy and deploy/haproxy against the real programs, and the load balancers
# of deploy/nginx and deploy/compose/cluster (test/failover): those that KEYWARD_TEST_NGINX, KEYWARD_TEST_CADDY and KEYWARD_TEST_HAPROXY name, else those on the PATH. What is
# not installed is skipped, and said so. With --document the results become the tables of
# docs/gateways.md.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH:/usr/sbin"
export PATH

KEYWARD_TEST_NGINX=${KEYWARD_TEST_NGINX-$(command -v nginx || true)}
KEYWARD_TEST_CADDY=${KEYWARD_TEST_CADDY-$(command -v caddy || true)}
KEYWARD_TEST_HAPROXY=${KEYWARD_TEST_HAPROXY-$(command -v haproxy || true)}
export KEYWARD_TEST_NGINX KEYWARD_TEST_CADDY KEYWARD_TEST_HAPROXY

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
if [ -n "$KEYWARD_TEST_HAPROXY" ]; then
  "$KEYWARD_TEST_HAPROXY" -v | head -n 1
else
  echo 'haproxy is not installed: its tests are SKIPPED (Debian: apt-get install haproxy).' >&2
fi

if [ "${1-}" = --document ]; then
  shift
  report=$(mktemp)
  trap 'rm -f "$report"' EXIT
  tested=0
  vitest run test/gateways test/failover --reporter=default --reporter=json --outputFile.json="$report" "$@" || tested=$?
  node scripts/gateway-tables.ts "$report"
  exit "$tested"
fi
exec vitest run test/gateways test/failover "$@"
