#!/usr/bin/env bash
# Shows that the kill tests can fail: breaks one mechanism at a time in a copy of the sources and expects a red test.
# Usage: scripts/negative_controls.sh
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r include meson.build meson_options.txt scripts src tests workers "$work"
cp LICENSE README.md "$work" 2>/dev/null || true
meson setup "$work/build" "$work" -Dopencv=disabled -Dbenchmarks=disabled > "$work/setup.log"
ninja -C "$work/build" tests/shm/shm_test tests/worker/worker_test > "$work/build.log"

# control NAME FILE SED-EXPRESSION TEST FILTER
control() {
  local name=$1 file="$work/$2" expression=$3 program="$work/build/tests/$4" filter=$5
  cp "$file" "$work/saved"
  sed -i "$expression" "$file"
  if cmp -s "$file" "$work/saved"; then
    echo "$name: the expression changes nothing; correct it in this script" >&2
    exit 1
  fi
  ninja -C "$work/build" tests/shm/shm_test tests/worker/worker_test >> "$work/build.log"
  if timeout 200 "$program" --gtest_filter="$filter" > "$work/test.log" 2>&1; then
    echo "$name: broken on purpose, and $filter is still green" >&2
    exit 1
  fi
  echo "$name: $filter turns red, as it must"
  cp "$work/saved" "$file"
}

control 'journal entry filled in place' src/shm/ring_writer.cpp 's/fill_entry(1 - active_, done)/fill_entry(active_, done)/' \
  shm/shm_test '*RingRecoveryTest.AtEveryInstructionTheSuccessor*'
control 'write position before the journal' src/shm/ring_writer.cpp 's/  fill_entry(1 - active_, done);/  end_.own->write_position.store(head_); fill_entry(1 - active_, done);/' \
  worker/worker_test '*SingleStep*AKillAtAnyInstructionChanges*'
control 'release before the commit' src/worker/segment_runner.cpp 's/^  prepare_counts();$/  prepare_counts(); if (reader_) { reader_->advance(); reader_->release(); }/' \
  worker/worker_test '*SingleStep*AKillAtAnyInstructionChanges*'
control 'consumer maps the ring to write' src/shm/segment.cpp '/ConsumerEnd Segment::map_consumer/,/^}/s/read_only/read_write/' \
  shm/shm_test 'SegmentTest.TheConsumerCannot*'
control 'successor sleeps as its predecessor' src/shm/waiting.hpp 's/(wait.sleeps.load(std::memory_order_relaxed) + 1) | 1/wait.sleeps.load(std::memory_order_relaxed) | 1/' \
  shm/shm_test 'WaitingTest.*Successor*'
control 'no wake-up of the consumer' src/shm/ring_writer.cpp '/^void RingWriter::wake_consumer/,/^}/s/base::futex_wake/if (false) base::futex_wake/' \
  shm/shm_test 'WaitingTest.AReaderThatSleepsIsWoken'
