#!/usr/bin/env bash
# The main job on real video: finds the people in a film with a pipeline of worker processes, and shows what came out.
#   scripts/demo.sh [--chaos] [VIDEO]     without VIDEO: vtest.avi from Debian's package opencv-doc
# With --chaos the job runs again while its workers are killed, and must give the same frames byte for byte.
# Results go to build/demo: pedestrians.mjpeg (the frames as JPEG), pedestrians.avi, contact_sheet.png.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh build demo
build=build/release
[ -f "$build/build.ninja" ] || meson setup "$build" -Dtests=disabled -Dbenchmarks=disabled >/dev/null
# Quiet unless it fails.
meson compile -C "$build" >"$build/compile.log" || { tail -n 30 "$build/compile.log" >&2; exit 1; }

chaos=
if [ "${1:-}" = --chaos ]; then
  chaos=yes
  shift
fi
out=build/demo
mkdir -p "$out"
film=${1:-}
if [ -z "$film" ]; then
  film=$out/vtest.avi
  if [ ! -f "$film" ]; then
    echo "Fetching the film from Debian's package opencv-doc (96 MB) ..."
    fetch=$(mktemp -d)
    trap 'rm -rf "$fetch"' EXIT
    # apt-get download drops its rights to a user who must be able to write here.
    chmod 777 "$fetch"
    (cd "$fetch" && apt-get download opencv-doc >/dev/null)
    dpkg-deb --fsys-tarfile "$fetch"/opencv-doc_*.deb |
      tar -xO ./usr/share/doc/opencv-doc/examples/data/vtest.avi >"$fetch/vtest.avi"
    mv "$fetch/vtest.avi" "$film"
  fi
fi

"$build"/src/cli/pystream-coord run workers/pipelines/pedestrians.json --input "$film" --output "$out/pedestrians.mjpeg"

if [ -n "$chaos" ]; then
  echo
  echo "The same job while its workers are killed:"
  "$build"/src/cli/pystream-coord chaos workers/pipelines/pedestrians.json --kills 50 --interval 200ms --verify \
    --input "$film" --output "$out/pedestrians_killed.mjpeg"
  cmp "$out/pedestrians.mjpeg" "$out/pedestrians_killed.mjpeg"
  echo "$out/pedestrians_killed.mjpeg has the same bytes as $out/pedestrians.mjpeg"
  echo
fi

# A killed video writer cannot go on where it was, a file of JPEG frames can; so the film is made from it afterwards.
ffmpeg -loglevel error -y -f mjpeg -framerate 10 -i "$out/pedestrians.mjpeg" -c copy "$out/pedestrians.avi"
ffmpeg -loglevel error -y -f mjpeg -i "$out/pedestrians.mjpeg" -frames:v 1 \
  -vf "select='not(mod(n\,50))',scale=384:-1,tile=4x4:padding=4" "$out/contact_sheet.png"
frames=$(ffprobe -v error -count_packets -show_entries stream=nb_read_packets -of csv=p=0 "$out/pedestrians.avi")
echo
echo "$frames annotated frames:"
stat -c '  %n  %s bytes' "$out"/pedestrians.mjpeg "$out"/pedestrians.avi "$out"/contact_sheet.png
