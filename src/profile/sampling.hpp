#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace pystream::profile {

inline constexpr std::uint32_t kLargestShift = 30;  ///< that workers go to

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

/// The least x for which step * x modulo `modulus` is in [low, high]: in the first lap, or what it is in later ones
/// follows from the same question about where each lap begins. So it is as quick as Euclid's algorithm.
/// REQUIRES: step and modulus have no common divisor; high < modulus.
__extension__ using Wide = unsigned __int128;
constexpr Wide first_in(Wide step, Wide modulus, Wide low, Wide high) {
  if (low == 0) {
    return 0;
  }
  if (2 * step > modulus) {
    return first_in(modulus - step, modulus, modulus - high, modulus - low);
  }
  if (const Wide steps = (low + step - 1) / step; steps * step <= high) {
    return steps;
  }
  const Wide laps = first_in(step - modulus % step, step, low % step, high % step);
  return (low + modulus * laps + step - 1) / step;
}

/// How many items from `sequence` on come before one that is sampled.
constexpr std::uint64_t unsampled_from(std::uint64_t sequence, std::uint64_t mask) {
  if (is_sampled(sequence, mask)) {
    return 0;
  }
  const std::uint64_t missing = ~(sequence * kSamplingFactor) + 1;
  return static_cast<std::uint64_t>(first_in(kSamplingFactor, Wide{1} << 64, missing, Wide{missing} + ~mask));
}

/// As unsampled_from(), for numbers that mostly go up: it steps from one sampled number to the next.
///
/// The factor is 2^64 over the golden ratio, so the hashes go round a circle in steps of that ratio, and the numbers
/// whose hashes fall into one arc of it lie at three distances: the least number of steps that goes forward by less
/// than the arc, the least that goes back by less, and their sum (the three-gap theorem: N. B. Slater, Gaps and steps
/// for the sequence n theta mod 1, 1967). The first two are Fibonacci numbers.
class SampledNumbers {
 public:
  /// At most `most`. REQUIRES: a mask of at most kLargestShift. (The factor is rounded; beyond 31 not all steps are
  /// Fibonacci numbers.)
  std::uint32_t unsampled_from(std::uint64_t sequence, std::uint32_t most, std::uint64_t mask) {
    if (mask != mask_) {
      set_mask(mask);
    }
    for (int steps = 0; steps < kMostSteps && next_ < sequence; ++steps) {
      first_ = next_ + 1;
      next_ += distance_behind(next_);
    }
    if (sequence < first_ || sequence > next_) {
      first_ = sequence;
      next_ = sequence + profile::unsampled_from(sequence, mask);
    }
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(next_ - sequence, most));
  }

 private:
  static constexpr int kMostSteps = 64;

  void set_mask(std::uint64_t mask) {
    mask_ = mask;
    first_ = next_ = 0;  // which is sampled whatever the mask
    forward_ = back_ = 0;
    for (std::uint64_t one = 1, two = 2; forward_ == 0 || back_ == 0; one = std::exchange(two, one + two)) {
      forward_ = forward_ == 0 && is_sampled(one, mask) ? one : forward_;
      back_ = back_ == 0 && is_sampled(~one + 1, mask) ? one : back_;
    }
  }
  /// From one that is sampled to the next.
  std::uint64_t distance_behind(std::uint64_t sampled) const {
    const std::uint64_t less = std::min(forward_, back_);
    const std::uint64_t more = std::max(forward_, back_);
    return is_sampled(sampled + less, mask_) ? less : is_sampled(sampled + more, mask_) ? more : less + more;
  }

  std::uint64_t mask_ = 1;  // of no sampling
  std::uint64_t forward_ = 0;
  std::uint64_t back_ = 0;
  // None in [first_, next_) is sampled, and next_ is.
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace pystream::profile
