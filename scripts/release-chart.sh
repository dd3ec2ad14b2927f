#!/usr/bin/env bash
# Packages the Helm chart of a release, pushes it as an OCI artifact, and signs its digest.
# Usage: scripts/release-chart.sh v1.2.3, with helm and docker logged in to $REGISTRY.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1#v}
charts=${REGISTRY:?names where to push}/${GITHUB_REPOSITORY_OWNER,,}/charts

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
helm lint deploy/helm/keyward
helm package deploy/helm/keyward --version "$version" --app-version "$version" --destination "$folder"
# Helm tells the digest of what it pushed, on its standard error.
helm push "$folder/keyward-$version.tgz" "oci://$charts" 2>&1 | tee "$folder/pushed"
digest=$(sed -n 's/^Digest: //p' "$folder/pushed")
cosign sign --yes "$charts/keyward@$digest"
echo "$charts/keyward@$digest"
