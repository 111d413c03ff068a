#pragma once

#include <cstdint>

namespace pystream::base {

/// What /proc says of a process; zeros if there is no such process.
struct ProcessUsage {
  double cpu_s = 0;  ///< of all its threads, since it began
  double memory_bytes = 0;
};

ProcessUsage usage_of(std::int64_t pid);

}  // namespace pystream::base
