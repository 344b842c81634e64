#!/usr/bin/env bash
# Build both images with the first builder that works: docker, podman or buildah.
#
#   docker/build.sh [TAG]     TAG: latest by default
#
# DOCKERFILES selects some of them: DOCKERFILES=docker/Dockerfile docker/build.sh
set -euo pipefail
cd "$(dirname "$0")/.."
tag="${1:-latest}"

find_builder() {
    if docker info >/dev/null 2>&1; then
        echo "docker build"
    elif podman info >/dev/null 2>&1; then
        echo "podman build"
    elif buildah info >/dev/null 2>&1; then
        echo "buildah build"
    fi
}

builder="$(find_builder)"
if [ -z "$builder" ]; then
    echo "No builder of images works here: docker, podman and buildah were tried. Start the Docker daemon, or install podman." >&2
    exit 69 # EX_UNAVAILABLE
fi
export DOCKER_BUILDKIT=1
for file in ${DOCKERFILES:-docker/Dockerfile docker/Dockerfile.train}; do
    image=posescope-serve
    if [ "$file" = docker/Dockerfile.train ]; then
        image=posescope-train
    fi
    # shellcheck disable=SC2086 # two words
    $builder --file "$file" --tag "$image:$tag" .
    echo "$image:$tag"
done
