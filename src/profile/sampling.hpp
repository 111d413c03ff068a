#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace pystream::profile {

/// Which items are recorded singly: about one in 2^shift, the same ones in every stage, and those of a larger shift
/// are among those of a smaller. A hash of the sequence number decides, so that a stage that filters by number does
/// not lose all of them.
constexpr std::uint64_t sampling_mask(std::uint32_t shift) {
  return shift == 0 ? 0 : ~std::uint64_t{0} << (64 - (shift < 63 ? shift : 63));
}
constexpr std::uint64_t kSamplingFactor = 0x9e3779b97f4a7c15U;
constexpr bool is_sampled(std::uint64_t sequence, std::uint64_t mask) {
  return ((sequence * kSamplingFactor) & mask) == 0;
}
/// How many items from `sequence` on come before one that is sampled; at most `most`.
constexpr std::uint32_t unsampled_ahead(std::uint64_t sequence, std::uint32_t most, std::uint64_t mask) {
  // The mask is of the highest bits: if one is sampled, the one with the least hash is. Four leasts, as each step waits
  // for the one before.
  constexpr std::uint32_t kLanes = 4;
  std::array<std::uint64_t, kLanes> least;
  least.fill(~std::uint64_t{0});
  std::uint64_t hash = sequence * kSamplingFactor;
  for (std::uint32_t i = 0; i < most; i += kLanes) {
    for (std::uint64_t& one : least) {
      one = std::min(one, hash);
      hash += kSamplingFactor;
    }
  }
  if ((std::min({least[0], least[1], least[2], least[3]}) & mask) != 0) {
    return most;
  }
  std::uint32_t items = 0;
  while (items < most && !is_sampled(sequence + items, mask)) {
    ++items;
  }
  return items;
}

}  // namespace pystream::profile
