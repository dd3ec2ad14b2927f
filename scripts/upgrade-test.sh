#!/usr/bin/env bash
# During an upgrade, old instances run on the new schema. This runs a previous state of the code, with
# its own acceptance tests, on the schema of the current migrations.
# Usage: scripts/upgrade-test.sh [REF]; by default the newest commit with other migrations.
set -euo pipefail
cd "$(dirname "$0")/.."

previous=${1:-$(git log -1 --first-parent --format=%H -- migrations)^}
previous=$(git rev-parse --verify --quiet "$previous^{commit}") || {
  echo "upgrade-test: no such commit: ${1:-before the first migration}" >&2
  exit 1
}
if git diff --quiet "$previous" -- migrations; then
  echo "upgrade-test: $(git log -1 --format='%h' "$previous") has the same migrations" >&2
  exit 1
fi

folder=$(mktemp -d)
trap 'git worktree remove --force "$folder/previous"; rm -rf "$folder"' EXIT
git worktree add --quiet --detach "$folder/previous" "$previous"
if git diff --quiet "$previous" -- package-lock.json; then
  ln -s "$PWD/node_modules" "$folder/previous/node_modules"
else
  (cd "$folder/previous" && npm ci --no-audit --no-fund)
fi
# Old code, new schema: what is dropped or renamed too early fails here.
rm -r "$folder/previous/migrations"
cp -r migrations "$folder/previous/migrations"

echo "upgrade-test: $(git log -1 --format='%h %s' "$previous")"
echo "upgrade-test: with migrations up to $(ls migrations/*.sql | tail -1)"
cd "$folder/previous"
# What old instances refuse on this schema rather than write what new ones do not find (CHANGELOG.md).
refused='importKeys imports keys of another system by their digests'
# The timeouts of old tests may be too short for a busy machine.
vitest run --testTimeout 180000 -t "^(?!.*$refused)" test/api/life-of-a-key.test.ts test/acceptance
