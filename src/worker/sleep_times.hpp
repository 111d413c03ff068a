#pragma once

#include <cstdint>

#include "base/kill_point.hpp"

namespace pystream::worker {

/// Longest sleep of a worker without a wake-up. Much longer in builds with kill points, so that a lost wake-up shows as
/// a hang in the tests.
inline constexpr std::int64_t kSleepNs = base::kKillPoints ? 100'000'000'000 : 1'000'000'000;

}  // namespace pystream::worker
