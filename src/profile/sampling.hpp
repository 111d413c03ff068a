#pragma once

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
  std::uint64_t hash = sequence * kSamplingFactor;
  std::uint64_t least = ~std::uint64_t{0};
  for (std::uint32_t i = 0; i < most; ++i, hash += kSamplingFactor) {
    least = hash < least ? hash : least;
  }
  if ((least & mask) != 0) {
    return most;  // the mask is of the highest bits, so if one is sampled the one with the least hash is
  }
  std::uint32_t items = 0;
  while (items < most && !is_sampled(sequence + items, mask)) {
    ++items;
  }
  return items;
}

}  // namespace pystream::profile
