#pragma once

#include <chrono>

namespace pystream::api {

/// When the cycles of a loop begin. Each moment is counted from the one before, not from the actual wake-up, so late
/// wake-ups do not add up. Whole periods that were missed are not made up for.
class Beat {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Beat(Time first, std::chrono::nanoseconds period) : next_(first), period_(period) {}

  /// The moment after the last one. `now`: when the cycle in between ended.
  Time next(Time now) {
    next_ += period_;
    if (next_ + period_ < now) {
      next_ = now;
    }
    return next_;
  }

 private:
  Time next_;
  std::chrono::nanoseconds period_;
};

}  // namespace pystream::api
