#!/bin/sh
# Tests the pages in a real browser: the one that KEYWARD_TEST_BROWSER names, else the Chromium on
# the PATH. Without one they are skipped, and said so.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
export PATH

KEYWARD_TEST_BROWSER=${KEYWARD_TEST_BROWSER-$(command -v chromium || command -v google-chrome || true)}
export KEYWARD_TEST_BROWSER

if [ -n "$KEYWARD_TEST_BROWSER" ]; then
  "$KEYWARD_TEST_BROWSER" --version
else
  echo 'No Chromium is installed: its tests are SKIPPED (Debian: apt-get install chromium).' >&2
fi

exec vitest run test/browser "$@"
