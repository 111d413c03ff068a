#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.hpp"
#include "shm/segment.hpp"

namespace pystream::worker {

/// What a worker tells of itself in shared memory: its phase, the item in work, counters. One writer, so counters
/// are plain relaxed loads and stores.
class Monitor {
 public:
  /// Takes the page over from a predecessor.
  Monitor(shm::WorkerEnd end, int bell_fd);

  shm::WorkerEnd& end() { return end_; }
  const shm::ControlPage& control() const { return *end_.control; }
  shm::Command command() const {
    return static_cast<shm::Command>(end_.control->command.load(std::memory_order_acquire));
  }

  void set_phase(shm::Phase phase) {
    end_.page->phase.store(static_cast<std::uint32_t>(phase), std::memory_order_release);
  }
  /// Sets the phase and rings the coordinator's bell, so that it looks at once.
  void announce(shm::Phase phase);
  void begin_item(std::uint64_t number, std::uint64_t sequence) {
    end_.page->sequence.store(sequence, std::memory_order_relaxed);
    end_.page->number.store(number, std::memory_order_relaxed);
  }
  /// See WorkerPage::in_flight.
  void set_in_flight(std::size_t inputs) {
    end_.page->in_flight.store(static_cast<std::uint32_t>(inputs), std::memory_order_relaxed);
  }
  void end_items() { end_.page->number.store(shm::kInvalidPosition, std::memory_order_relaxed); }
  void set_hosted(std::uint32_t hosted) { end_.page->hosted.store(hosted, std::memory_order_relaxed); }
  /// Whose input is in work: of a row with several segments.
  void set_segment(std::uint32_t segment) { end_.page->segment.store(segment, std::memory_order_relaxed); }
  std::uint32_t hosted() const { return end_.page->hosted.load(std::memory_order_relaxed); }
  void count_commit() { add(end_.page->commits, 1); }
  void add_waiting(std::int64_t ns) { add(end_.page->waiting_ns, static_cast<std::uint64_t>(ns)); }
  void add_blocked(std::int64_t ns) { add(end_.page->blocked_ns, static_cast<std::uint64_t>(ns)); }
  void add_working(std::int64_t ns) { add(end_.page->working_ns, static_cast<std::uint64_t>(ns)); }
  void set_last_end(std::int64_t now);

  void add_items(std::uint32_t hosted, std::uint64_t items) { add(end_.stats[hosted].items, items); }
  void add_output(std::uint32_t hosted) { add(end_.stats[hosted].outputs, 1); }
  void add_error(std::uint32_t hosted) { add(end_.stats[hosted].errors, 1); }
  /// One item took `ns` inside this stage's code.
  void record(std::uint32_t hosted, std::int64_t ns);

  /// Leaves the reason for the coordinator and announces Phase::failed.
  void fail(shm::FailureKind kind, std::uint64_t sequence, std::string_view text);

 private:
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  shm::WorkerEnd end_;
  int bell_fd_;
};

}  // namespace pystream::worker
