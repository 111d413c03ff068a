#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

namespace pystream::api {

/// Ten years stand for "for ever": a clock's reading and std::chrono::nanoseconds::max() have no sum.
inline constexpr std::chrono::nanoseconds kForEver = std::chrono::hours(24 * 365 * 10);

/// Of cleanup(), with a profile database that another process locks during the whole run; it may be the thread that
/// calls it, which cannot let go before it returns.
inline constexpr int kHeldDatabaseMs = 2'000;

inline std::chrono::nanoseconds patience(std::chrono::nanoseconds timeout) {
  return std::min(timeout, kForEver);
}

inline std::chrono::steady_clock::time_point deadline_in(std::chrono::nanoseconds timeout) {
  return std::chrono::steady_clock::now() + patience(timeout);
}

/// The end of a wait, counted from the first time that it is asked for: a call that need not wait reads no clock.
class Deadline {
 public:
  explicit Deadline(std::chrono::nanoseconds timeout) : timeout_(timeout) {}
  std::chrono::steady_clock::time_point at() {
    if (!at_) {
      at_ = deadline_in(timeout_);
    }
    return *at_;
  }

 private:
  std::chrono::nanoseconds timeout_;
  std::optional<std::chrono::steady_clock::time_point> at_;
};

}  // namespace pystream::api
