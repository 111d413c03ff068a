#pragma once

#include <cstdint>
#include <ctime>

namespace pystream::core {

inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;

inline std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * kNsPerSecond + now.tv_nsec;
}

/// Sleeps until that time of now_ns(); false if a signal came first.
inline bool sleep_until(std::int64_t ns) {
  const timespec at{.tv_sec = ns / kNsPerSecond, .tv_nsec = ns % kNsPerSecond};
  return ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == 0;
}

}  // namespace pystream::core
