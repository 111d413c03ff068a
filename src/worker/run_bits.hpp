#pragma once

#include <cstdint>

namespace pystream::worker {

/// Those of the bits of `sequences` that the bits of `items` choose: bit i is its i-th one. See
/// shm::RunHead::sequences.
inline std::uint64_t chosen(std::uint64_t sequences, std::uint64_t items) {
  if ((sequences & (sequences + 1)) == 0) {
    return sequences & items;  // there are no gaps
  }
  std::uint64_t all = 0;
  for (; items != 0; items >>= 1, sequences &= sequences - 1) {
    all |= (items & 1) != 0 ? sequences & -sequences : 0;
  }
  return all;
}

}  // namespace pystream::worker
