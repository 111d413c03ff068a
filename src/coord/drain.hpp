#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "coord/drain_notice.hpp"

namespace pystream::coord {

/// The drain of a run: its deadline, and when users are told that it takes long. Has no clock of its own.
class Drain {
 public:
  /// `timeout`: a drain that takes longer is to be stopped; none: no limit.
  explicit Drain(std::optional<std::chrono::nanoseconds> timeout) : timeout_(timeout) {}

  /// Only the first call counts. `status`: as of now.
  void begin(LiveStatus status, std::chrono::nanoseconds now);
  bool begun() const { return begun_; }
  std::optional<std::chrono::nanoseconds> deadline() const { return deadline_; }
  /// True once, when the drain has reached its deadline.
  bool times_out(std::chrono::nanoseconds now);
  bool timed_out() const { return timed_out_; }
  /// True once for each time that notice() is due.
  bool notice_is_due(std::chrono::nanoseconds now) { return notice_.is_due(now); }
  /// See DrainNotice::text(): with the rate since the previous notice, or since the drain began.
  std::string notice(LiveStatus status, const std::string& advice);

 private:
  std::optional<std::chrono::nanoseconds> timeout_;
  std::optional<std::chrono::nanoseconds> deadline_;
  DrainNotice notice_;
  LiveStatus noticed_;  ///< at the previous notice, or when the drain began
  bool begun_ = false;
  bool timed_out_ = false;
};

}  // namespace pystream::coord
