#!/usr/bin/env bash
# Builds the image, looks into its layers, and runs it as docs/containers.md says. With Docker if an
# engine answers, else with podman and a storage of its own, which is removed. Podman needs root here.
# Where the base image cannot be pulled, one like it is made of Debian's packages and the Node that
# `npm ci` installed. Without any engine it is skipped, and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

BASE=docker.io/library/node:24-bookworm-slim
LIMIT_MB=60
tag=keyward-container-check
began=$SECONDS
work=$(mktemp -d "${TMPDIR:-/var/tmp}/keyward-container-check.XXXXXX")
engine=()
build=()
pulled=

clean_up() {
  if [ "${engine[0]:-}" = docker ]; then
    docker image rm --force "$tag" >/dev/null 2>&1 || true
    [ -z "$pulled" ] || docker image rm "$BASE" >/dev/null 2>&1 || true
  elif [ ${#engine[@]} -gt 0 ]; then
    "${engine[@]}" rm --all --force >/dev/null 2>&1 || true
    "${engine[@]}" image rm --all --force >/dev/null 2>&1 || true
    umount "$work"/storage/* 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap clean_up EXIT

say() { echo "✓ $* ($((SECONDS - step_began)) s)"; }
fail() {
  echo "✗ $*" >&2
  exit 1
}
skip() {
  echo "SKIPPED: $*"
  exit 0
}

choose_engine() {
  if docker info >/dev/null 2>&1; then
    engine=(docker)
    build=(docker build --network host)
  elif command -v podman >/dev/null && command -v runc >/dev/null && [ "$(id -u)" -eq 0 ]; then
    # Limits and a runtime that work inside of a container too.
    cat >"$work/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=10000:10000", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
    export CONTAINERS_CONF="$work/containers.conf"
    engine=(podman --root "$work/storage" --runroot "$work/run" --tmpdir "$work/tmp")
    build=("${engine[@]}" build --isolation chroot --network host --format docker --layers=false)
  else
    skip 'no Docker engine answers, and podman with runc is not installed or this is not root' \
      '(Debian: apt-get install podman buildah runc debootstrap).'
  fi
}

have_base() {
  if "${engine[@]}" image inspect "$BASE" >/dev/null 2>&1; then return; fi
  if timeout 120 "${engine[@]}" pull --quiet "$BASE" >"$work/pull.log" 2>&1; then
    pulled=1
    say "the base image is pulled: $BASE"
    return
  fi
  command -v debootstrap >/dev/null || skip "$BASE cannot be pulled, and there is no debootstrap to make one like it."
  make_base
  say "the base image cannot be pulled: one like it is made of Debian's packages and Node $(node --version)"
}

# Debian, Node, npm, the user `node`: what the Dockerfile takes from the real one.
make_base() {
  local root=$work/rootfs npm
  npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  debootstrap --variant=minbase --include=ca-certificates bookworm "$root" >"$work/debootstrap.log" ||
    fail "debootstrap: $(tail -n 3 "$work/debootstrap.log")"
  cp "$(node -p process.execPath)" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -r "$npm" "$root/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  chroot "$root" useradd --uid 1000 --create-home node
  # The registry may be behind a proxy that this machine trusts.
  cp "${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}" "$root/etc/ssl/certs/ca-certificates.crt"
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  tar -C "$root" -c . | "${engine[@]}" import --quiet \
    --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' - "$BASE" >/dev/null
  rm -rf "$root"
}

# A copy of what git knows, with a secret where one could be left behind.
make_context() {
  canary=canary-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  mkdir "$work/context"
  git ls-files -z --cached --others --exclude-standard | tar --null --files-from - --ignore-failed-read -c 2>/dev/null |
    tar -x -C "$work/context"
  local file
  for file in .env .npmrc .git/config src/.env.local src/.keyward/root-key bin/tls.pem migrations/server.key; do
    mkdir -p "$work/context/$(dirname "$file")"
    echo "# $canary" >"$work/context/$file"
  done
}

size_mb() { "${engine[@]}" image inspect --format '{{.Size}}' "$1" | awk '{printf "%d", $1 / 1000000 + 0.5}'; }

# Whether any file of any layer, or the configuration, has a text. Layers may be compressed.
layers_have() {
  local file
  while IFS= read -r -d '' file; do
    if gzip -t "$file" 2>/dev/null; then zcat "$file"; else cat "$file"; fi | grep -aq "$1" && return
  done < <(find "$work/saved" -type f -print0)
  return 1
}

check_contents() {
  mkdir "$work/saved"
  "${engine[@]}" save "$tag" | tar -x -C "$work/saved"
  layers_have 'org.opencontainers.image' || fail 'the layers cannot be read'
  ! layers_have "$canary" || fail 'a layer contains a secret that was left in the folder'
  rm -rf "$work/saved"
  local found
  found=$(in_image ls -A /app | tr '\n' ' ')
  [ "$found" = 'LICENSE bin migrations node_modules package.json sbom.cdx.json src ' ] ||
    fail "/app has something else than the program: $found"
  found=$("${engine[@]}" image inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$tag" |
    sed 's/=.*//' | grep -vxE 'PATH|NODE_VERSION|YARN_VERSION|NODE_EXTRA_CA_CERTS|NODE_ENV|HOST|PORT|' || true)
  [ -z "$found" ] || fail "the image sets $found"
}

in_image() {
  "${engine[@]}" run --rm --network none --no-healthcheck "$tag" "$@"
}

# Each package that is there is in the SBOM with its version.
check_sbom() {
  in_image node --eval '
    const { readFileSync, globSync } = require("node:fs");
    const read = (path) => JSON.parse(readFileSync(path, "utf8"));
    const { bomFormat, components } = read("/app/sbom.cdx.json");
    const listed = new Set(components.map(({ purl }) => decodeURIComponent(purl.split("?")[0])));
    const there = globSync("/app/node_modules/{,**/node_modules/}{*,@*/*}/package.json").map(read);
    const missing = there.filter(({ name, version }) => version && !listed.has(`pkg:npm/${name}@${version}`));
    if (bomFormat !== "CycloneDX" || there.length < 50 || missing.length > 0) {
      throw new Error(`${there.length} packages, not in the SBOM: ${missing.map(({ name }) => name)}`);
    }
    console.log(there.length);
  '
}

choose_engine
echo "engine: ${engine[0]} $("${engine[@]}" version --format '{{.Client.Version}}')"

step_began=$SECONDS
have_base

step_began=$SECONDS
make_context
"${build[@]}" --tag "$tag" "$work/context" >"$work/build.log" 2>&1 || fail "the build failed: $(tail -n 30 "$work/build.log")"
say 'the image is built'

step_began=$SECONDS
above=$(($(size_mb "$tag") - $(size_mb "$BASE")))
[ "$above" -lt "$LIMIT_MB" ] || fail "the image is $above MB above its base; at most $LIMIT_MB"
say "it is $above MB above its base of $(size_mb "$BASE") MB, at most $LIMIT_MB"

step_began=$SECONDS
check_contents
say 'its layers contain the program, no file of development, and no secret that was left in the folder'

step_began=$SECONDS
say "its SBOM, /app/sbom.cdx.json, lists each of the $(check_sbom) packages that are in it"

node scripts/container-check.ts "$tag" "${engine[@]}"
echo "✓ container-check: $((SECONDS - began)) s"
