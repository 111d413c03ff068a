#pragma once

#include <atomic>
#include <cstdint>

/// Counters that a worker writes while they are read here: each by itself is right, two of them need not fit together.
namespace pystream::profile {

inline std::uint64_t get(const std::atomic<std::uint64_t>& word) {
  return word.load(std::memory_order_relaxed);
}
/// a - b; 0 if b was read later and is larger.
inline std::uint64_t minus(std::uint64_t a, std::uint64_t b) {
  return a > b ? a - b : 0;
}

}  // namespace pystream::profile
