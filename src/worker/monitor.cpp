#include "worker/monitor.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace pystream::worker {

Monitor::Monitor(shm::WorkerEnd end, int bell_fd) : end_(std::move(end)), bell_fd_(bell_fd) {
  end_items();
  set_in_flight(0);
  end_.page->failure_kind.store(0, std::memory_order_relaxed);
  set_phase(shm::Phase::starting);
  end_.page->incarnation.store(end_.control->incarnation.load(std::memory_order_relaxed) + 1,
                               std::memory_order_release);
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

void Monitor::record(std::uint32_t hosted, std::int64_t ns) {
  shm::HostedStats& stats = end_.stats[hosted];
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0));
  const std::uint64_t timed = stats.timed.load(std::memory_order_relaxed);
  if (timed == 0 || value < stats.min_ns.load(std::memory_order_relaxed)) {
    stats.min_ns.store(value, std::memory_order_relaxed);
  }
  if (value > stats.max_ns.load(std::memory_order_relaxed)) {
    stats.max_ns.store(value, std::memory_order_relaxed);
  }
  stats.timed.store(timed + 1, std::memory_order_relaxed);
  add(stats.timed_ns, value);
  add(stats.histogram[shm::bucket_of(value)], std::uint64_t{1});
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
