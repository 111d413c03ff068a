#!/usr/bin/env bash
# Builds the documentation as a site: scripts/site.sh [BUILD-FOLDER [OUT]]. By default it builds the programs in
# build/release, because the references of plans and stages come from them, and writes build/site.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/release}
out=${2:-build/site}
scripts/setup.sh build docs
[ -f "$build/build.ninja" ] || meson setup "$build" --buildtype=release -Dtests=disabled -Dbenchmarks=disabled
meson compile -C "$build"
version=$(meson introspect "$build" --projectinfo | python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])')
python3 src/docs/site/build.py . "$build/src/cli/pystream-coord" "$version" "$out"
