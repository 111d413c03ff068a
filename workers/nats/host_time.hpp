#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>

/// Times of items in parcels are of CLOCK_REALTIME, which hosts share as well as their clocks agree; within a host they
/// are of CLOCK_MONOTONIC.
namespace pystream::nats {

inline std::int64_t now_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline std::int64_t to_real_time(std::int64_t monotonic) {
  return monotonic + now_of(CLOCK_REALTIME) - now_of(CLOCK_MONOTONIC);
}

/// Nothing enters later than now, whatever the other host's clock says.
inline std::int64_t to_monotonic(std::int64_t real_time) {
  const std::int64_t now = now_of(CLOCK_MONOTONIC);
  const std::int64_t ahead = now_of(CLOCK_REALTIME);
  return real_time >= ahead ? now : std::max<std::int64_t>(now - (ahead - std::max<std::int64_t>(real_time, 0)), 0);
}

}  // namespace pystream::nats
