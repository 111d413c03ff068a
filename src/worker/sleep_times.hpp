#pragma once

#include <cstdint>

#include "base/kill_point.hpp"

namespace pystream::worker {

/// A sleeping worker looks around at least this often. Where workers are killed on purpose it must not: a lost wake-up
/// has to show as a hang.
inline constexpr std::int64_t kSleepNs = base::kKillPoints ? 100'000'000'000 : 1'000'000'000;

}  // namespace pystream::worker
