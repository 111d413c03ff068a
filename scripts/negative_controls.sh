#!/usr/bin/env bash
# Shows that the kill tests can fail: leaves out one mechanism at a time (src/base/mutation.hpp) and expects a red test,
# once on the parts and once end to end, on real pipelines. What is left out of the model: scripts/check_model.sh.
# Usage: scripts/negative_controls.sh [BUILD_FOLDER]    (build/negative_controls)
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/negative_controls}
targets=(tests/shm/shm_test tests/worker/worker_test tests/kill_points/kill_points_test
  tests/system/damage_test tests/system/storm_test
  src/cli/pystream-coord workers/pystream-worker workers/core/libpystream_core.so workers/testing/libpystream_testing.so)
[ -f "$build/build.ninja" ] ||
  meson setup "$build" -Dmutations=true -Dtests=enabled -Dopencv=disabled -Dbenchmarks=disabled >/dev/null
build=$(realpath "$build")
ninja -C "$build" "${targets[@]}" >"$build/build.log" || { tail -n 30 "$build/build.log" >&2; exit 1; }

controls=0

# control MUTATION TEST FILTER: the tests are green, and red with the mutation: they fail, crash or hang.
control() {
  local mutation=$1 program="$build/tests/$2" filter=$3
  if ! timeout 600 "$program" --gtest_filter="$filter" >"$build/control.log" 2>&1; then
    tail -n 30 "$build/control.log" >&2
    echo "$filter is red without any mutation" >&2
    exit 1
  fi
  if PYSTREAM_MUTATION=$mutation timeout 60 "$program" --gtest_filter="$filter" >"$build/control.log" 2>&1; then
    echo "$mutation: $filter is still green" >&2
    exit 1
  fi
  echo "$mutation: $filter turns red, as it must"
  controls=$((controls + 1))
}

steps='*SingleStep*AKillAtAnyInstructionChanges*'

control journal_entry_in_place shm/shm_test '*RingRecoveryTest.AtEveryInstructionTheSuccessor*'
control position_before_journal worker/worker_test "$steps"
control release_before_commit worker/worker_test "$steps"
control forget_published_outputs worker/worker_test "$steps/SeveralOutputs:SegmentRecoveryTest.*"
control release_referred_inputs worker/worker_test "$steps/Forwarded"
control release_within_run worker/worker_test "$steps/RunToItems"
control stale_cursor_in_run worker/worker_test 'SegmentRecoveryTest.KilledWhileACallThatLeft*'
control keep_rolled_back_jump shm/shm_test 'LargeItemTest.ARolledBackItem*'
control take_front_in_use shm/shm_test 'LargeItemTest.BehindAnItem*'
control map_ring_writable shm/shm_test 'SegmentTest.TheConsumerCannot*'
control sleep_without_position shm/shm_test 'WaitingTest.*Successor*'
control no_wake_of_consumer shm/shm_test 'WaitingTest.AReaderThatSleepsIsWoken'
control request_ends_sleep shm/shm_test 'WaitingTest.AReaderThatWasWokenForRoom*'
control free_by_first_consumer shm/shm_test 'ConsumersTest.FreeIsWhatBoth*'
control wait_for_first_consumer shm/shm_test 'ConsumersTest.TheProducerWaitsForTheOne*'
control deal_from_first shm/shm_test 'DealingTest.ASuccessorOfTheProducer*'
control no_wake_to_step_over shm/shm_test 'OneItemDealingTest.*:DealingToThreeTest.*'
control end_wakes_one shm/shm_test 'DealingTest.TheEndWakesAll'
control keep_stepped_over worker/worker_test 'DealtSegmentTest.WhatIsForOthers*'
control forget_stepped_over shm/shm_test 'DealingTest.ASuccessorFindsReleased*'
control one_input_number worker/worker_test "$steps/Collects"
control forget_collect_turn worker/worker_test "$steps/Collects"
control collect_without_output worker/worker_test "$steps/CollectsAndFilters"
control free_before_follower shm/shm_test 'FollowingTest.WhatIsNotFollowed*'
control follow_in_turn worker/worker_test 'DealtSegmentTest.ACollectorFollows*'
control one_input_number worker/worker_test "$steps/Follows"
control collect_without_output worker/worker_test "$steps/FollowsAndFilters"
control one_input_number worker/worker_test "$steps/Zips"
control collect_without_output worker/worker_test "$steps/ZipsAndFilters"
control release_zipped_early worker/worker_test 'BranchSegmentTest.ZipReleases*'
control forget_winner worker/worker_test 'BranchSegmentTest.ASuccessorTakes*'
control forget_answered worker/worker_test 'BranchSegmentTest.ASuccessorKnows*'
control merge_closes_each worker/worker_test 'BranchSegmentTest.OnlyTheLast*'
control no_time_bound shm/shm_test 'TimeBoundLinkTest.TheLinkHoldsTheFewest*'
control no_growth_when_dry shm/shm_test 'TimeBoundLinkTest.HoldsMoreOnce*'

echo "== end to end"
control no_wake_of_consumer kill_points/kill_points_test 'Forked/*LosesNothing/before_commit_1'
control no_wake_after_death kill_points/kill_points_test 'Forked/*LosesNothing/before_wake_1'
for mutation in ignore_releases_while_asleep ignore_release_request no_request_upstream no_request_for_room; do
  control "$mutation" kill_points/kill_points_test 'KillPoints.OfWorkersThatPassItemsOn'
done
control journal_entry_in_place kill_points/kill_points_test 'Spawned/*OfTheFirstItem/before_commit_1'
control stale_cursor_in_run system/storm_test '*RunsOfPlainItems'
control stale_cursor_in_run system/storm_test '*RunsOfASourceOfBytes'
control no_isolation_after_death worker/worker_test 'SegmentRunnerRunTest.ItemsThatWereInWork*'
control map_ring_writable system/damage_test 'Damage.AStageThatWritesOverItsInputFaults'
echo "$controls controls, all red"
