#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "api/patience.hpp"
#include "api/run.hpp"
#include "api/session.hpp"
#include "shm/ring_writer.hpp"

namespace pystream::api {

struct WaitOptions {
  bool block = true;
  std::chrono::nanoseconds timeout{};
};

/// The user's end of the first link. Several threads take turns.
class Entry {
 public:
  Entry(Session& session, plan::LinkId link, WaitOptions waiting);

  [[nodiscard]] bool forward(const void* value, const ValueType& type, const std::stop_token& stop);
  [[nodiscard]] std::size_t forward_all(const ValueType& type, const NextValue& next);
  [[nodiscard]] std::unique_ptr<LoanSlot> loan(std::size_t size);

 private:
  class Slot;
  using Lock = std::unique_lock<std::timed_mutex>;
  using Clock = std::chrono::steady_clock;

  /// Waits for its turn; an unlocked lock: not in time.
  [[nodiscard]] Lock take_turn(Deadline& deadline);
  Deadline deadline() const { return Deadline(waiting_.block ? waiting_.timeout : Clock::duration{}); }
  [[nodiscard]] std::byte* reserve(std::size_t size, Deadline& deadline, const std::stop_token& stop);
  void finish(std::size_t size);
  [[nodiscard]] bool forward_one(const void* value, const ValueType& type, Deadline& deadline,
                                 const std::stop_token& stop);
  [[nodiscard]] std::size_t try_forward_run(const void*& value, std::size_t size, const NextValue& next);
  void commit();

  Session& session_;
  WaitOptions waiting_;
  std::int64_t spin_ns_;
  std::timed_mutex mutex_;
  std::atomic<std::thread::id> lender_{};  ///< the thread with an open loan
  shm::RingWriter ring_;
  std::int64_t entered_ns_ = 0;
};

}  // namespace pystream::api
