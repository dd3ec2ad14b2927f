#!/bin/sh
# Removes from node_modules what the running program never reads: a stated list, so that what is left out
# of the image is known. scripts/container-check.sh runs what is left. Its argument is that folder.
set -eu
cd "$1"
# Types and their sources, which Node does not run from here, and maps to them.
find . -type f \( -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.map' -o -name '*.tsbuildinfo' \) -delete
# What is for people, tests, and compilers; licences stay.
find . -type f \( -name '*.md' ! -iname '*licen[cs]e*' -o -name '*.c' -o -name '*.cc' -o -name '*.h' -o -name '*.gyp' -o -name '*.gypi' \) -delete
find . -type d \( -name test -o -name tests -o -name docs -o -name example -o -name examples -o -name benchmark -o -name benchmarks -o -name .github \) -prune -exec rm -rf {} +
# The same code a second time, for bundlers and for require().
rm -rf @opentelemetry/*/build/esm @opentelemetry/*/build/esnext
find drizzle-orm -name '*.cjs' -delete
# Other databases, and other systems.
rm -rf drizzle-orm/gel-core drizzle-orm/mysql-core drizzle-orm/singlestore-core drizzle-orm/sqlite-core
rm -rf argon2/prebuilds/darwin-* argon2/prebuilds/freebsd-* argon2/prebuilds/win32-*
# Links to workspaces, whose folders are not in the image.
find . -maxdepth 2 -type l ! -path './.bin/*' -delete
find . -type d -empty -delete
