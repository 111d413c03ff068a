#pragma once

#include <cstdint>

namespace pystream::base {

/// Bytes that this process may still allocate: the smaller of MemAvailable and what is left below the cgroup's limit.
std::uint64_t available_memory();

}  // namespace pystream::base
