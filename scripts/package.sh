#!/usr/bin/env bash
# Builds Debian packages for the Debian release that this machine has, and prints their files.
#   scripts/package.sh                            in build/packages, from a build of its own in build/package
#   scripts/package.sh --build DIR [FOLDER]       into FOLDER, from a build folder that is there, wherever its prefix is:
#                                                 an installed tree may be moved as a whole
# As any user. What is in which package stands in scripts/debian. The maintainer is $DEBFULLNAME <$DEBEMAIL>.
set -euo pipefail
source=$(realpath "$(dirname "$0")/..")

build=
if [ "${1:-}" = --build ]; then
  build=$(realpath "$2")
  shift 2
fi
folder=${1:-$source/build/packages}
mkdir -p "$folder"
folder=$(realpath "$folder")

if [ -z "$build" ]; then
  "$source/scripts/setup.sh" build package
  build=$source/build/package
  if [ ! -f "$build/build.ninja" ]; then
    meson setup "$build" "$source" --prefix=/usr --libexecdir=libexec -Dtests=disabled -Dbenchmarks=disabled >"$folder/build.log"
  fi
  meson compile -C "$build" >>"$folder/build.log" || { tail -n 40 "$folder/build.log" >&2; exit 1; }
fi

option() {
  meson introspect "$build" --buildoptions |
    python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == sys.argv[1]))' "$1"
}
version=$(meson introspect "$build" --projectinfo | python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])')
multiarch=$(dpkg-architecture -q DEB_HOST_MULTIARCH)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/pystream-$version
staged=$tree/installed
mkdir -p "$staged" "$tree/debian"
cp -r "$source/scripts/debian/." "$tree/debian"
cp -r "$source/README.md" "$source/CHANGELOG.md" "$source/src/docs" "$tree"
cp "$source/LICENSE" "$tree/debian/copyright"

# The build's prefix becomes /usr, its folder of libraries that of Debian.
prefix=$(option prefix)
DESTDIR=$work/installed meson install -C "$build" --no-rebuild >"$folder/install.log" ||
  { tail -n 40 "$folder/install.log" >&2; exit 1; }
mv "$work/installed$prefix" "$staged/usr"
libdir=$(option libdir)
if [ "$libdir" != "lib/$multiarch" ]; then
  echo "package.sh: the build's libraries go to $libdir; set it up with --libdir=lib/$multiarch" >&2
  exit 1
fi
cd "$staged/usr"
mkdir -p share/zsh
mv share/zsh/site-functions share/zsh/vendor-completions
python=$(find lib -path '*/dist-packages/pystream' -printf '%h\n' -quit)
if [ -n "$python" ] && [ "$python" != lib/python3/dist-packages ]; then
  mkdir -p lib/python3
  mv "$python" lib/python3/dist-packages
  find lib -type d -empty -delete
fi

cd "$tree"
# Packages whose parts were not built are left out.
for part in pystream-opencv:libpystream_opencv.so pystream-nats:libpystream_nats.so python3-pystream:libpystream_python.so; do
  if [ ! -e "installed/usr/lib/$multiarch/pystream/${part#*:}" ]; then
    python3 - "${part%%:*}" <<'PYTHON'
import re, sys
text = open("debian/control").read()
open("debian/control", "w").write("\n\n".join(p for p in re.split(r"\n\n(?=\S)", text) if f"Package: {sys.argv[1]}\n" not in p))
PYTHON
    rm "debian/${part%%:*}.install"
  fi
done
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$source" log -1 --format=%ct 2>/dev/null || stat -c %Y "$source/CHANGELOG.md")}
maintainer="${DEBFULLNAME:-local build} <${DEBEMAIL:-root@localhost}>"
sed -i "s/@MAINTAINER@/$maintainer/; s/@VERSION@/$version-1/" debian/control debian/rules
cat >debian/changelog <<CHANGELOG
pystream ($version-1) unstable; urgency=medium

  * Built by scripts/package.sh; see CHANGELOG.md.

 -- $maintainer  $(date -R -d "@$SOURCE_DATE_EPOCH")
CHANGELOG
chmod +x debian/rules
dpkg-buildpackage --no-pre-clean --build=binary --no-sign >"$folder/package.log" 2>&1 || { tail -n 40 "$folder/package.log" >&2; exit 1; }
rm -f "$folder"/*.deb
mv "$work"/*.deb "$folder"
ls "$folder"/*.deb
