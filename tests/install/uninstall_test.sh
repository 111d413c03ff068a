#!/usr/bin/env bash
# `ninja uninstall` removes all that `meson install` has put there.
#
# usage: uninstall_test.sh BUILD-FOLDER
set -euo pipefail
build=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

DESTDIR=$folder meson install -C "$build" --no-rebuild >"$folder.log" 2>&1 || { cat "$folder.log"; exit 1; }
rm -f "$folder.log"
installed=$(find "$folder" ! -type d | wc -l)
[ "$installed" -gt 50 ] || { echo "only $installed files were installed" >&2; exit 1; }
ninja -C "$build" uninstall >/dev/null
left=$(find "$folder" ! -type d)
if [ -n "$left" ]; then
  echo "left behind: $left" >&2
  exit 1
fi
echo "$installed files installed and removed"
