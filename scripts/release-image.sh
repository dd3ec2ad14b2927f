#!/usr/bin/env bash
# Builds the image of a release for amd64 and arm64, with an SBOM and the provenance of the build as
# attestations, pushes it, and signs its digest without a key, as the workflow that runs this.
# Usage: scripts/release-image.sh v1.2.3, logged in to $REGISTRY.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1#v}
image=${REGISTRY:?names where to push}/${GITHUB_REPOSITORY_OWNER,,}/keyward

# A release candidate moves neither 1.2 nor latest.
tags=(--tag "$image:$version")
[[ $version == *-* ]] || tags+=(--tag "$image:${version%.*}" --tag "$image:latest")

# The default builder cannot build for several architectures at once.
docker buildx create --name release --driver docker-container --use
docker buildx build . --push --platform linux/amd64,linux/arm64 "${tags[@]}" \
  --sbom=true --provenance=mode=max --metadata-file build.json \
  --annotation "index:org.opencontainers.image.version=$version" \
  --annotation "index:org.opencontainers.image.revision=$GITHUB_SHA" \
  --annotation "index:org.opencontainers.image.source=$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" \
  --annotation "index:org.opencontainers.image.licenses=Apache-2.0"

# The digest of the index: it covers both images, their SBOMs and their provenance.
digest=$(node -p 'require("./build.json")["containerimage.digest"]')
cosign sign --yes "$image@$digest"
echo "$image@$digest"
