#pragma once

#include <cstdint>
#include <ctime>

namespace pystream::base {

/// CLOCK_MONOTONIC in nanoseconds: the same for all processes of this machine.
inline std::int64_t now_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace pystream::base
