#pragma once

#include <cstdint>

namespace pystream::profile {

/// Which items are recorded singly: about one in 2^shift, the same ones in every stage, and those of a larger shift
/// are among those of a smaller. A hash of the sequence number decides, so that a stage that filters by number does
/// not lose all of them.
constexpr std::uint64_t sampling_mask(std::uint32_t shift) {
  return shift == 0 ? 0 : ~std::uint64_t{0} << (64 - (shift < 63 ? shift : 63));
}
constexpr bool is_sampled(std::uint64_t sequence, std::uint64_t mask) {
  return ((sequence * 0x9e3779b97f4a7c15U) & mask) == 0;
}

}  // namespace pystream::profile
