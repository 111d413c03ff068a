#!/usr/bin/env bash
# Shows that the kill tests can fail: breaks one mechanism at a time in a copy of the sources and expects a red test,
# once on the parts and once end to end, on real pipelines. (What is left out of the model: scripts/check_model.sh.)
# Usage: scripts/negative_controls.sh [WORK_FOLDER] (build/negative_controls; kept, so that a second run is quicker)
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p "${1:-build/negative_controls}"
work=$(realpath "${1:-build/negative_controls}")
targets=(tests/shm/shm_test tests/worker/worker_test tests/kill_points/kill_points_test
  tests/system/damage_test tests/system/storm_test
  src/cli/pystream-coord workers/pystream-worker workers/core/libpystream_core.so workers/testing/libpystream_testing.so)
mkdir -p "$work/tree"
# What has not changed keeps its time and is not built again; what has gets a new one, however old the change is.
find include meson.build meson_options.txt scripts src tests workers LICENSE README.md -type f | while read -r file; do
  cmp -s "$file" "$work/tree/$file" || { mkdir -p "$(dirname "$work/tree/$file")"; cp "$file" "$work/tree/$file"; }
done
# Where every build folder lies in its tree, so that ccache, if there is one, knows the files.
build=$work/tree/build/test
[ -f "$build/build.ninja" ] ||
  meson setup "$build" "$work/tree" -Dwerror=true -Dtests=enabled -Dopencv=disabled -Dbenchmarks=disabled >"$work/setup.log"
ninja -C "$build" "${targets[@]}" >"$work/build.log"

# control NAME FILE SED-EXPRESSION TEST FILTER: a test that fails, crashes or hangs is red
control() {
  local name=$1 file="$work/tree/$2" expression=$3 program="$build/tests/$4" filter=$5
  cp -p "$file" "$work/saved"
  sed -i "$expression" "$file"
  if cmp -s "$file" "$work/saved"; then
    echo "$name: the expression changes nothing; correct it in this script" >&2
    exit 1
  fi
  local red=yes
  ninja -C "$build" "${targets[@]}" >>"$work/build.log" || { echo "$name: does not build" >&2; exit 1; }
  if timeout 60 "$program" --gtest_filter="$filter" >"$work/test.log" 2>&1; then
    red=
  fi
  cp "$work/saved" "$file"  # newer than the objects, so it is built again
  if [ -z "$red" ]; then
    echo "$name: broken on purpose, and $filter is still green" >&2
    exit 1
  fi
  echo "$name: $filter turns red, as it must"
}

no_wake='/^void Consumers::wake_sleepers/,/^}/s/^    base::futex_wake(.*$//'
in_place='s/next = 1 - active_;/next = active_;/'
writable='/ConsumerEnd Segment::map_consumer/,/^}/s/read_only/read_write/'
forgets_outputs='s/already_out_ = journal.parts_of == inputs_done_ ? journal.parts_out : 0/already_out_ = 0/'

control 'journal entry filled in place' src/shm/journal.cpp "$in_place" \
  shm/shm_test '*RingRecoveryTest.AtEveryInstructionTheSuccessor*'
control 'write position before the journal' src/shm/journal.cpp \
  's/^  fill(page_/  page_->write_position.store(written.position); fill(page_/' \
  worker/worker_test '*SingleStep*AKillAtAnyInstructionChanges*'
control 'release before the commit' src/worker/segment_runner.cpp \
  's/^  prepare_counts();$/  prepare_counts(); if (reader_) { reader_->advance(); reader_->release(); }/' \
  worker/worker_test '*SingleStep*AKillAtAnyInstructionChanges*'
control 'published outputs given again' src/worker/segment_runner.cpp "$forgets_outputs" \
  worker/worker_test '*SingleStep*AKillAtAnyInstructionChanges*/SeveralOutputs:SegmentRecoveryTest.*'
control 'inputs given back that are referred to' src/worker/segment_runner.cpp \
  's/reader_->release(reader_->mark(), ring_.oldest_referred())/reader_->release()/' \
  worker/worker_test '*SingleStep*AKillAtAnyInstructionChanges*/Forwarded'
control 'a run given back before its end' src/shm/ring_reader.hpp 's/^  if (!run_.inside()) {$/  if (true) {/' \
  worker/worker_test '*SingleStep*AKillAtAnyInstructionChanges*/RunToItems'
control 'a jump that was rolled back counts' src/shm/large_area.hpp 's/^    jumped_from_ = not_behind(.*$//' \
  shm/shm_test 'LargeItemTest.ARolledBackItem*'
control 'the front taken while it is in use' src/shm/ring_writer.hpp \
  's/consumers_.released_large(large_.ordinal())/true/' \
  shm/shm_test 'LargeItemTest.BehindAnItem*'
control 'consumer maps the ring to write' src/shm/segment.cpp "$writable" shm/shm_test 'SegmentTest.TheConsumerCannot*'
control 'a sleep is announced without what was seen' src/shm/waiting.hpp \
  's/announced = asleep_on(seen);/announced = ~std::uint64_t{0};/' shm/shm_test 'WaitingTest.*Successor*'
control 'no wake-up of the consumer' src/shm/consumers.cpp "$no_wake" shm/shm_test 'WaitingTest.AReaderThatSleepsIsWoken'
control 'a request for room counts as the end of a sleep' src/shm/consumers.cpp \
  '/^void Consumers::request_release/,/^}/s/if (any_asleep()) {/if (any_asleep()) { for (Peer\& p : peers_) p.sleep.must_wake(p.page->asleep_at, ~0ULL);/' \
  shm/shm_test 'WaitingTest.AReaderThatWasWokenForRoom*'
control 'free is what the first consumer has released' src/shm/consumers.cpp \
  's/^    if (of.position < freed.position) {$/    if (\&peer == peers_.data()) {/' shm/shm_test 'ConsumersTest.FreeIsWhatBoth*'
control 'the producer waits for the first consumer' src/shm/consumers.hpp \
  's/asleep_at\[blocker_\]/asleep_at[0]/; s/peers_\[blocker_\]/peers_[0]/' \
  shm/shm_test 'ConsumersTest.TheProducerWaitsForTheOne*'

echo "== end to end"
control 'no wake-up of the consumer' src/shm/consumers.cpp "$no_wake" \
  kill_points/kill_points_test 'Forked/*LosesNothing/before_commit_1'
control 'nobody is woken after a death' src/coord/coordinator.cpp \
  's/\[&\](const WakeNeighbours& wake) { wake_links_of(wake.id); }/[\&](const WakeNeighbours\&) {}/' \
  kill_points/kill_points_test 'Forked/*LosesNothing/before_wake_1'
control 'no look at releases while asleep for input' src/worker/segment_waits.cpp \
  's/^  shm::wait_for_either(more, ring_.room(), .*/  reader_->wait(parts_.spin_ns, kSleepNs);/' \
  kill_points/kill_points_test 'KillPoints.OfWorkersThatPassItemsOn'
control 'no look at whether somebody lacks room' src/worker/segment_waits.cpp \
  's/^    shm::wait_for_either(more, lack_of_room, .*/    reader_->wait(parts_.spin_ns, kSleepNs);/' \
  kill_points/kill_points_test 'KillPoints.OfWorkersThatPassItemsOn'
control 'that somebody lacks room is not passed on' src/worker/segment_waits.cpp 's/^  ring_.ask_for_room();$//' \
  kill_points/kill_points_test 'KillPoints.OfWorkersThatPassItemsOn'
control 'who has no room does not ask' src/shm/consumers.cpp \
  '/^void Consumers::request_release/,/^}/s/^    base::futex_wake(.*$//' \
  kill_points/kill_points_test 'KillPoints.OfWorkersThatPassItemsOn'
control 'journal entry filled in place' src/shm/journal.cpp "$in_place" \
  kill_points/kill_points_test 'Spawned/*OfTheFirstItem/before_commit_1'
control 'an older cursor is committed when a run waits' src/worker/segment_runs.cpp 's/^    cursors_.keep();$//' \
  system/storm_test '*RunsOfPlainItems'
control 'items of a run are not told apart after a death' src/worker/segment_runs.cpp \
  's/names_each_ || inputs_done_ < death_.seen_until/names_each_/' worker/worker_test 'SegmentRunnerRunTest.ItemsThatWereInWork*'
control 'consumer maps the ring to write' src/shm/segment.cpp "$writable" \
  system/damage_test 'Damage.AStageThatWritesOverItsInputFaults'
