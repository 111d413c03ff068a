#pragma once

#include <cstdint>
#include <string_view>

#include "base/fast_clock.hpp"
#include "profile/recorder.hpp"
#include "shm/segment.hpp"
#include "worker/unwind.hpp"

namespace pystream::worker {

/// What a worker tells of itself in shared memory: its phase, the item in work, counters. One writer, so counters
/// are plain relaxed loads and stores.
class Monitor {
 public:
  /// Takes the page over from a predecessor.
  Monitor(shm::WorkerEnd end, int bell_fd);

  shm::WorkerEnd& end() { return end_; }
  /// CLOCK_MONOTONIC, cheaply.
  std::int64_t now() { return clock_.now(); }
  profile::RowQueue& rows() { return rows_; }
  const shm::ControlPage& control() const { return *end_.control; }
  /// Throws Stopped if the worker is told to stop at once.
  void check_stop() const {
    if (command() == shm::Command::stop) {
      throw Stopped{};
    }
  }
  shm::Command command() const {
    return static_cast<shm::Command>(end_.control->command.load(std::memory_order_acquire));
  }

  void set_phase(shm::Phase phase) {
    end_.page->phase.store(static_cast<std::uint32_t>(phase), std::memory_order_release);
  }
  /// Sets the phase and rings the coordinator's bell, so that it looks at once.
  void announce(shm::Phase phase);
  /// `in_flight`: as many from this one on are in work; see WorkerPage::in_flight.
  void begin_item(std::uint64_t number, std::uint64_t sequence, std::size_t in_flight = 1) {
    end_.page->sequence.store(sequence, std::memory_order_relaxed);
    end_.page->number.store(number, std::memory_order_relaxed);
    set_in_flight(in_flight);
  }
  void set_in_flight(std::size_t inputs) {
    end_.page->in_flight.store(static_cast<std::uint32_t>(inputs), std::memory_order_relaxed);
  }
  void end_items() { end_.page->number.store(shm::kInvalidPosition, std::memory_order_relaxed); }
  void set_stage(std::uint32_t stage) { end_.page->stage.store(stage, std::memory_order_relaxed); }
  /// Whose input is in work: of a row with several segments.
  void set_segment(std::uint32_t segment) { end_.page->segment.store(segment, std::memory_order_relaxed); }
  std::uint32_t stage() const { return end_.page->stage.load(std::memory_order_relaxed); }
  void count_commit() {
    add(end_.page->commits, 1);
    if (!committed_) {
      note_first_commit();
    }
  }
  void add_waiting(std::int64_t ns) { add(end_.page->waiting_ns, static_cast<std::uint64_t>(ns)); }
  void add_blocked(std::int64_t ns) { add(end_.page->blocked_ns, static_cast<std::uint64_t>(ns)); }
  void add_working(std::int64_t ns) { add(end_.page->working_ns, static_cast<std::uint64_t>(ns)); }
  void set_last_end(std::int64_t now);

  /// Tells of an item that a stage could not process and that is not tried again.
  void note_given_up(std::uint32_t stage, std::uint64_t sequence, std::uint32_t attempts, std::string_view reason);
  /// The process is about to end for this reason, by a signal that does not tell it.
  void note_cause_of_death(shm::DeathCause cause) {
    end_.page->death_cause.store(static_cast<std::uint32_t>(cause), std::memory_order_release);
  }

  /// Leaves the reason for the coordinator and announces Phase::failed.
  void fail(shm::FailureKind kind, std::uint64_t sequence, std::string_view text);

 private:
  void note_first_commit();
  static void add(std::atomic<std::uint64_t>& counter, std::uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  shm::WorkerEnd end_;
  bool committed_ = false;  ///< since this start
  int bell_fd_;
  base::FastClock clock_;
  profile::RowQueue rows_;
};

}  // namespace pystream::worker
