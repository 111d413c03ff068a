#include "worker/monitor.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/clock.hpp"

namespace pystream::worker {

Monitor::Monitor(shm::WorkerEnd end, int bell_fd)
    : end_(std::move(end)),
      bell_fd_(bell_fd),
      clock_(base::TickRate{end_.config->tick_multiplier}),
      rows_(end_.profile, end_.config->enabled != 0, end_.config->rows_per_second) {
  end_items();
  set_in_flight(0);
  end_.page->first_commit_ns.store(0, std::memory_order_relaxed);
  end_.page->failure_kind.store(0, std::memory_order_relaxed);
  end_.page->takes_stack_requests.store(0, std::memory_order_relaxed);
  note_cause_of_death(shm::DeathCause::unknown);
  set_phase(shm::Phase::starting);
  end_.page->incarnation.store(end_.control->incarnation.load(std::memory_order_relaxed) + 1,
                               std::memory_order_release);
}

void Monitor::note_first_commit() {
  committed_ = true;
  end_.page->first_commit_ns.store(base::now_ns(), std::memory_order_release);
}

void Monitor::announce(shm::Phase phase) {
  set_phase(phase);
  const std::uint64_t one = 1;
  // An eventfd at its limit would refuse, and then the coordinator has enough rings to hear.
  [[maybe_unused]] const ssize_t written = ::write(bell_fd_, &one, sizeof(one));
}

void Monitor::set_last_end(std::int64_t now) {
  if (end_.page->first_end_ns.load(std::memory_order_relaxed) == 0) {
    end_.page->first_end_ns.store(now, std::memory_order_relaxed);
  }
  end_.page->last_end_ns.store(now, std::memory_order_relaxed);
}

void Monitor::note_given_up(std::uint32_t stage, std::uint64_t sequence, std::uint32_t attempts,
                            std::string_view reason) {
  const std::uint64_t before = end_.page->given_up.load(std::memory_order_relaxed);
  shm::GivenUpItem& item = end_.page->given_up_items[before % 2];
  item.sequence = sequence;
  item.stage = stage;
  item.attempts = attempts;
  item.text_bytes = static_cast<std::uint32_t>(reason.copy(item.text.data(), item.text.size()));
  end_.page->given_up.store(before + 1, std::memory_order_release);
}

void Monitor::fail(shm::FailureKind kind, std::uint64_t sequence, std::string_view text) {
  shm::WorkerPage& page = *end_.page;
  const std::size_t size = std::min(text.size(), page.failure_text.size());
  std::memcpy(page.failure_text.data(), text.data(), size);
  page.failure_bytes = static_cast<std::uint32_t>(size);
  page.failure_sequence = sequence;
  page.failure_kind.store(static_cast<std::uint32_t>(kind), std::memory_order_release);
  announce(shm::Phase::failed);
}

}  // namespace pystream::worker
