#!/usr/bin/env bash
# Builds and runs a project that has this one as a Meson subproject without pystream-coord, offline, in a folder of its own;
# and sets it up with it.
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
set_up() {
  local build=$1
  shift
  PKG_CONFIG_PATH='' meson setup "$build" "$folder/project" "$@" --wrap-mode=nodownload \
    --force-fallback-for=pystream -Dpystream:opencv=disabled -Doptimization=0
}

# What would be installed: FOLDER WORD...
expect_installed() {
  local build=$1
  meson introspect "$build" --installed >"$build.installed"
  shift
  for word in "$@"; do
    case $word in
      no:*) ! grep -q "${word#no:}" "$build.installed" ;;
      *) grep -q "$word" "$build.installed" ;;
    esac || { echo "$build: expected $word among what is installed" >&2; cat "$build.installed" >&2; exit 1; }
  done
}

set_up "$folder/library" -Dpystream:tools=disabled
expect_installed "$folder/library" libpystream.so pystream-worker libpystream_core.so include/pystream pystream.pc \
  no:pystream-coord no:testing no:share/

meson test -C "$folder/library" --print-errorlogs consumer

# With it, find_program() gives the parent project both programs. To build them once more would take minutes.
set_up "$folder/build"
expect_installed "$folder/build" pystream-coord no:testing
meson introspect "$folder/build" --tests | grep -q '"consumer_plan"' ||
  { echo "the subproject does not give its parent pystream-coord" >&2; exit 1; }
