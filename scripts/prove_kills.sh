#!/usr/bin/env bash
# The long form of the kill tests, of which the suite runs a sample: a kill at every single instruction of a worker's
# work, storms of more than 10,000 kills, 1,000 restarts with a look at descriptors and memory, all mixtures of nesting
# with 100,000 items. Takes about half an hour. Usage: scripts/prove_kills.sh [BUILD_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build}
[ -d "$build" ] || meson setup "$build"
ninja -C "$build"
export PYSTREAM_TEST_FULL=1
echo "== every instruction"
"$build/tests/worker/worker_test" --gtest_filter='*SingleStep*AKillAtAnyInstructionChangesNothing*'
echo "== every 31st instruction of the recovery from a kill at every 211th"
"$build/tests/worker/worker_test" --gtest_filter='*SingleStep*Recovery*'
echo "== storms"
"$build/tests/system/storm_test"
echo "== restarts"
"$build/tests/system/life_test" --gtest_filter='*Flat*'
echo "== nesting"
"$build/tests/system/nesting_test"
