#!/usr/bin/env bash
# The tests of clients/typescript, built, against a started Keyward. Needs the npm registry once.
set -euo pipefail
cd "$(dirname "$0")/../clients/typescript"
[ -d node_modules ] || npm ci --ignore-scripts --no-audit --no-fund
npm test
