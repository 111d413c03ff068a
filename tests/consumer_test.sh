#!/usr/bin/env bash
# Builds and runs a project that has this one as a Meson subproject, offline, in a folder of its own.
#
# usage: consumer_test.sh SOURCE-FOLDER
set -euo pipefail
source=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cp -r "$source/tests/consumer" "$folder/project"
mkdir "$folder/project/subprojects"
ln -s "$source" "$folder/project/subprojects/pystream"
unset DESTDIR MESONINTROSPECT MESON_BUILD_ROOT MESON_SOURCE_ROOT
# Without a system-wide pystream: the subproject is what is meant.
PKG_CONFIG_PATH='' meson setup "$folder/build" "$folder/project" --wrap-mode=nodownload \
  --force-fallback-for=pystream -Dpystream:opencv=disabled -Doptimization=0
meson test -C "$folder/build" --print-errorlogs consumer
