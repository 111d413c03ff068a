#!/usr/bin/env bash
# Installs the build into a folder where it was not configured to stand, as a package or a moved prefix has it, and
# uses it there: a pipeline with bundled stages, and programs and a plugin of one's own by pkg-config.
#
# usage: install_test.sh BUILD-FOLDER SOURCE-FOLDER COMPILER...
set -euo pipefail
build=$(realpath "$1")
source=$(realpath "$2")
shift 2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset PYSTREAM_PLUGIN_PATH PYSTREAM_WORKER LD_LIBRARY_PATH
export XDG_STATE_HOME=$folder/state

prefix=$(meson introspect "$build" --buildoptions |
  python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')
DESTDIR=$folder/staged meson install -C "$build" --no-rebuild >"$folder/install.log" || { cat "$folder/install.log"; exit 1; }
mv "$folder/staged$prefix" "$folder/moved"

# Nothing of it may come from the build folder.
cat >"$folder/plan.json" <<'PLAN'
{
  "source": {"type": "generate", "params": {"count": 1000, "size": 8}},
  "stages": [{"name": "Wait", "type": "wait", "params": {"time": "0s"}}],
  "sink": {"type": "file_writer", "params": {"path": "numbers", "newline": "never"}}
}
PLAN
(cd "$folder" && moved/bin/pystream-coord run --quiet plan.json)
[ "$(stat -c %s "$folder/numbers")" = 8000 ]
"$folder"/moved/bin/pystream-coord validate "$folder/plan.json" --json >"$folder/validated"
if ldd "$folder/moved/bin/pystream-coord" | grep libpystream | grep -qv "$folder/moved"; then
  echo "the installed program uses another libpystream than the one installed with it" >&2
  exit 1
fi

PKG_CONFIG_PATH=$(dirname "$(find "$folder/moved" -name pystream.pc)")
export PKG_CONFIG_PATH
# A build folder set up before the file was made relocatable names the prefix that was configured.
config=(pkg-config --define-variable=prefix="$folder/moved")
read -r -a flags <<<"$("${config[@]}" --cflags --libs pystream)"
"$@" -std=c++20 -o "$folder/own" "$source/tests/consumer/main.cpp" "${flags[@]}" \
  -Wl,-rpath,"$("${config[@]}" --variable=libdir pystream)"
"$folder/own"

# Only the library's own folder and name are passed on: a program may have a spdlog (SQLite, ...) of its own.
for flag in $("${config[@]}" --cflags --libs pystream); do
  case "$flag" in
    -I"$folder"/moved/* | -L"$folder"/moved/* | -lpystream) ;;
    *)
      echo "pkg-config hands on $flag" >&2
      exit 1
      ;;
  esac
done
"$@" -std=c++20 -o "$folder/own_spdlog" "$source/tests/consumer/own_spdlog.cpp" "${flags[@]}" \
  -Wl,-rpath,"$("${config[@]}" --variable=libdir pystream)"
"$folder/own_spdlog"

# Projects outside of this tree, by CMake, make and Meson: a program and a plugin, in at most ten lines of build file.
projects=$source/tests/install/projects
moved=$folder/moved
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
export LD_LIBRARY_PATH CXX="$*"
for build_file in cmake/CMakeLists.txt make/Makefile meson/meson.build; do
  tool=${build_file%%/*}
  [ "$(wc -l <"$projects/$build_file")" -le 10 ] || { echo "$build_file has more than ten lines" >&2; exit 1; }
  cp -r "$projects/$tool" "$folder/$tool"
  cp "$projects"/*.cpp "$folder/$tool"
  cd "$folder/$tool"
  case $tool in
    cmake)
      cmake -S . -B build -DCMAKE_PREFIX_PATH="$moved" >log
      cmake --build build >>log
      ;;
    make) make --silent && mkdir build && mv mine libscale.so build ;;
    meson) meson setup build >log && meson compile -C build >>log ;;
  esac || { cat log >&2; echo "the $tool project cannot be built" >&2; exit 1; }
  build/mine
  cat >scale.json <<'PLAN'
{"plugins": ["libscale.so"], "source": {"type": "lines", "params": {"path": "-"}},
 "stages": [{"name": "Scale", "type": "demo.scale"}], "sink": {"type": "stdout"}}
PLAN
  [ "$(seq 3 | PYSTREAM_PLUGIN_PATH=/nowhere:build "$moved/bin/pystream-coord" run --quiet scale.json | tr '\n' ' ')" = "2 4 6 " ]
  cd - >/dev/null
done
# A version that is not there is refused, and so is one whose interface may be another.
mkdir "$folder/newer"
for version in 99 0.0; do
  printf 'cmake_minimum_required(VERSION 3.18)\nproject(mine CXX)\nfind_package(pystream %s REQUIRED)\n' "$version" >"$folder/newer/CMakeLists.txt"
  if cmake -S "$folder/newer" -B "$folder/newer/$version" -DCMAKE_PREFIX_PATH="$moved" >"$folder/newer/log" 2>&1; then
    echo "find_package(pystream $version) is content with this version" >&2
    exit 1
  fi
  grep -q "version: 0\|compatible with requested" "$folder/newer/log" || { cat "$folder/newer/log" >&2; exit 1; }
done
unset LD_LIBRARY_PATH

# The Python package, if it was built, and Python stages in a plan; both find the library, and each other.
package=$(find "$folder/moved" -path '*/pystream/__init__.py' -printf '%h/..')
if [ -n "$package" ]; then
  python=$(meson introspect "$build" --buildoptions |
    python3 -c 'import json, sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "python_interpreter"))')
  cat >"$folder/package.py" <<'PYTHON'
import pystream

pipeline = pystream.Pipeline()
pipeline.add(lambda x: x + 1)
with pipeline.parallelize(block_output=True, output_timeout=60):
    pipeline.forward(1)
    assert pipeline.get_results() == 2
library = {line.split()[-1] for line in open("/proc/self/maps") if "libpystream.so" in line}
assert all("/moved/" in path for path in library), library
PYTHON
  PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$package "$python" "$folder/package.py"
  echo 'def reverse(line): return line[::-1]' >"$folder/stages.py"
  cat >"$folder/python.json" <<'PLAN'
{
  "plugins": ["libpystream_python.so"],
  "source": {"type": "lines", "params": {"path": "words"}},
  "stages": [{"name": "Reverse", "type": "python",
              "params": {"module": "stages.py", "call": "reverse", "takes": "text", "gives": "text"}}],
  "sink": {"type": "file_writer", "params": {"path": "reversed", "newline": "always"}}
}
PLAN
  echo abc >"$folder/words"
  (cd "$folder" && PYTHONDONTWRITEBYTECODE=1 moved/bin/pystream-coord run --quiet python.json)
  [ "$(cat "$folder/reversed")" = cba ]
fi

# Stages that only tests need are not there.
if [ -n "$(find "$folder/moved" -name '*pystream_testing*')" ] || "$folder/moved/bin/pystream-coord" stages | grep -q 'test\.'; then
  echo "the stages of the tests are installed" >&2
  exit 1
fi

# The web page is found where the tree stands now.
if [ -d "$folder/moved/share/pystream/page" ]; then
  mkfifo "$folder/address"
  "$folder/moved/bin/pystream-coord" serve --listen 127.0.0.1:0 >"$folder/address" &
  server=$!
  read -r address <"$folder/address"
  python3 - "$address" <<'PY'
import sys, urllib.request
for name in ["", "main.js", "page.css", "healthz"]:
    assert urllib.request.urlopen(sys.argv[1] + name, timeout=60).status == 200, name
PY
  kill "$server"
  wait "$server"
fi

# A plugin of one's own that gives and takes image items, beside the bundled ones.
if [ -n "$(find "$folder/moved" -name libpystream_opencv.so)" ]; then
  read -r -a opencv <<<"$(pkg-config --cflags opencv4)"
  "$@" -std=c++20 -shared -fPIC -o "$folder/libpictures.so" "$source/tests/consumer/pictures.cpp" \
    "${opencv[@]/#-I/-isystem}" "${flags[@]}" -lopencv_core
  cat >"$folder/pictures.json" <<'PLAN'
{
  "plugins": ["libpystream_opencv.so", "./libpictures.so"],
  "source": {"type": "demo.pictures"},
  "stages": [{"name": "Invert", "type": "demo.invert"},
             {"name": "Resize", "type": "image.resize", "params": {"width": 20}},
             {"name": "Encode", "type": "image.encode", "params": {"format": "png"}}],
  "sink": {"type": "file_writer", "params": {"directory": "pictures"}}
}
PLAN
  (cd "$folder" && moved/bin/pystream-coord run --quiet pictures.json)
  [ "$(find "$folder/pictures" -name '*.png' | wc -l)" = 5 ]
fi

# Without the bundled stages the message tells what to do (unless an older installation has some).
find "$folder/moved" -name libpystream_core.so -delete
if [ -z "$(find "$prefix" -name libpystream_core.so 2>/dev/null)" ]; then
  if "$folder/moved/bin/pystream-coord" stages 2>"$folder/errors"; then
    echo "worked without the core plugin" >&2
    exit 1
  fi
  grep -q "set PYSTREAM_PLUGIN_PATH to its folder" "$folder/errors" || { cat "$folder/errors" >&2; exit 1; }
fi
echo "installed, moved, run, linked"
