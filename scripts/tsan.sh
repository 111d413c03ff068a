#!/usr/bin/env bash
# ThreadSanitizer over the ring's tests within one process. Usage: scripts/tsan.sh [BUILD_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build-tsan}
[ -d "$build" ] || meson setup "$build" -Db_sanitize=thread -Db_lundef=false -Dbuildtype=debugoptimized \
  -Dopencv=disabled -Dbenchmarks=disabled
ninja -C "$build" tests/shm/shm_test
"$build/tests/shm/shm_test" --gtest_filter='RingTest.*:LargeItemTest.*:*TwoThreads*:WaitingTest.A*Sleep*:WaitingTest.Asleep*'
