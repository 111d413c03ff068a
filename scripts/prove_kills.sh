#!/usr/bin/env bash
# The long form of the kill tests, of which the suite runs a sample; takes about an hour.
#   scripts/prove_kills.sh [BUILD_FOLDER [PART...]]      parts, all if none is named:
#   step         a kill with SIGKILL at every instruction of an item's way through the workers of a running pipeline,
#                and during the recovery from it
#   copies       the same on copies of a worker's memory, for more kinds of workers, sources and serial rows
#   points       named points, with the neighbours asleep
#   coordinator  the coordinator stopped, killed or crashed at each of its system calls
#   damage       every byte of a link between two workers written over
#   storms       more than 10,000 kills of many kinds of pipelines; and 10,000 in one run (scripts/storm.sh)
#   restarts     1,000 restarts with a look at descriptors and memory
#   nesting      all mixtures of nesting with 100,000 items
#   model        scripts/check_model.sh
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/test}
[ -d "$build" ] || meson setup "$build"
ninja -C "$build"
tests=$build/tests
shift || true
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(step copies points coordinator damage storms restarts nesting model)
export PYSTREAM_TEST_FULL=1

for part in "${parts[@]}"; do
  echo "== $part"
  case $part in
    step) "$tests/system/step_test" ;;
    copies) "$tests/worker/worker_test" --gtest_filter='*SingleStep*' ;;
    points) "$tests/kill_points/kill_points_test" ;;
    coordinator) "$tests/system/coordinator_death_test" ;;
    damage) "$tests/system/damage_test" ;;
    storms) "$tests/system/storm_test" && scripts/storm.sh "$build" ;;
    restarts) "$tests/system/life_test" --gtest_filter='*Flat*' ;;
    nesting) "$tests/system/nesting_test" ;;
    model) scripts/check_model.sh ;;
    *)
      echo "prove_kills.sh: unknown part \"$part\"" >&2
      exit 2
      ;;
  esac
done
