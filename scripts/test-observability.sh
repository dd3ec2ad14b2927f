#!/bin/sh
# Tests deploy/observability: with promtool the rules and their tests, with a real Prometheus every
# expression of the alerts and the dashboard. Those that KEYWARD_TEST_PROMETHEUS and
# KEYWARD_TEST_PROMTOOL name, else those on the PATH; what is missing is skipped, and said so.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
export PATH

KEYWARD_TEST_PROMETHEUS=${KEYWARD_TEST_PROMETHEUS-$(command -v prometheus || true)}
KEYWARD_TEST_PROMTOOL=${KEYWARD_TEST_PROMTOOL-$(command -v promtool || true)}
export KEYWARD_TEST_PROMETHEUS KEYWARD_TEST_PROMTOOL

if [ -n "$KEYWARD_TEST_PROMETHEUS" ]; then
  "$KEYWARD_TEST_PROMETHEUS" --version | head -n 1
else
  echo 'Prometheus is not installed: its tests are SKIPPED (Debian: apt-get install prometheus).' >&2
fi
if [ -z "$KEYWARD_TEST_PROMTOOL" ]; then
  echo 'promtool is not installed: its tests are SKIPPED (Debian: apt-get install prometheus).' >&2
fi

exec vitest run test/observability test/unit/observability.test.ts "$@"
