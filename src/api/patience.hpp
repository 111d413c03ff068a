#pragma once

#include <algorithm>
#include <chrono>

namespace pystream::api {

/// Ten years stand for "for ever": a clock's reading and std::chrono::nanoseconds::max() have no sum.
inline constexpr std::chrono::nanoseconds kForEver = std::chrono::hours(24 * 365 * 10);

/// Of cleanup(), with a profile database that somebody else holds during the whole run; it may be the thread that calls
/// it, which cannot let go before it returns.
inline constexpr int kHeldDatabaseMs = 2'000;

inline std::chrono::nanoseconds patience(std::chrono::nanoseconds timeout) {
  return std::min(timeout, kForEver);
}

inline std::chrono::steady_clock::time_point deadline_in(std::chrono::nanoseconds timeout) {
  return std::chrono::steady_clock::now() + patience(timeout);
}

}  // namespace pystream::api
