#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#   scripts/test.sh             release build in build/test
#   scripts/test.sh sanitize    AddressSanitizer and UndefinedBehaviorSanitizer, in build/sanitize
#   scripts/test.sh clang       clang instead of g++, warnings are errors, in build/clang
# Further arguments go to `meson test` (a suite or test name).
set -euo pipefail
cd "$(dirname "$0")/.."

kind="test"
case "${1:-}" in
  test | sanitize | clang) kind=$1 && shift ;;
esac

options=(-Dwerror=true -Dtests=enabled)
case $kind in
  # Little optimisation and just line numbers: it is long enough to build as it is.
  sanitize)
    options+=("-Db_sanitize=address,undefined" -Doptimization=1 -Ddebug=true -Dcpp_args=-g1 -Dbenchmarks=disabled)
    ;;
  clang)
    command -v clang++ >/dev/null || { echo "test.sh clang: clang++ is not installed (Debian's package clang)" >&2; exit 1; }
    export CXX=clang++
    ;;
esac

scripts/setup.sh build test nats
build=build/$kind
if [ ! -f "$build/build.ninja" ]; then
  meson setup "$build" "${options[@]}"
fi
meson compile -C "$build"

status=0
meson test -C "$build" --print-errorlogs --timeout-multiplier 4 "$@" || status=$?

# The closing line counts single test cases, which meson's own summary does not. What is skipped says why.
python3 - "$build/meson-logs/testlog.junit.xml" <<'PYTHON'
import sys
import xml.etree.ElementTree as tree

passed = failed = skipped = 0
for case in tree.parse(sys.argv[1]).iter("testcase"):
    kinds = {child.tag for child in case}
    if kinds & {"failure", "error"}:
        failed += 1
    elif "skipped" in kinds:
        skipped += 1
        reason = (case.find("skipped").get("message") or "no reason given").splitlines()[-1]
        print(f"skipped: {case.get('classname')}.{case.get('name')}: {reason}")
    else:
        passed += 1
print(f"{passed} passed, {failed} failed, {skipped} skipped")
PYTHON
exit "$status"
