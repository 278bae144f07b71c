#!/usr/bin/env bash
# docker-build.sh - what docker/Dockerfile does to make the program.
#
#   scripts/docker-build.sh DESTDIR
#
# A script of its own, so that it can be tested where there is no docker.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# != 1 ]; then
	echo "usage: docker-build.sh DESTDIR" >&2
	exit 2
fi
scripts/deps.sh build
make -j"$(nproc)" all
make install PREFIX=/usr DESTDIR="$1"
strip "$1/usr/bin/pgrekey"
