#include "worker/last_end.hpp"

#include <utility>

namespace pystream::worker {
namespace {

constexpr std::int64_t kSleepNs = 1'000'000'000;

/// False if the worker is told to stop before there is room.
bool mark_end(shm::RingWriter& ring, Monitor& monitor) {
  while (!ring.try_mark(shm::RecordKind::end, {})) {
    if (monitor.command() == shm::Command::stop) {
      return false;
    }
    ring.wait(ring.room(), {.spin_ns = 0, .timeout_ns = kSleepNs});
  }
  return true;
}

}  // namespace

void end_last_output(shm::ProducerEnd output, Monitor& monitor) {
  monitor.announce(shm::Phase::blocked);
  shm::RingWriter ring(std::move(output));
  const shm::JournalEntry& journal = ring.journal();
  const bool ended = (journal.flags & shm::kJournalEnded) != 0;
  if (!ended && mark_end(ring, monitor)) {
    ring.commit({.inputs_done = journal.inputs_done.load(std::memory_order_relaxed),
                 .flags = shm::kJournalEnded,
                 .cycles = journal.cycles});
  }
  monitor.announce(shm::Phase::finished);
}

}  // namespace pystream::worker
