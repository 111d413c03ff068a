#pragma once

#include <cstdint>

#include "base/clock.hpp"

namespace pystream::base {

#if defined(__x86_64__)
/// As __rdtsc(), whose header takes a compiler half a second.
inline std::uint64_t read_ticks() {
  return __builtin_ia32_rdtsc();
}
#endif

/// How many nanoseconds a tick of the processor's time stamp counter takes: `multiplier` / 2^32. 0: the counter is not
/// to be used on this machine.
struct TickRate {
  std::uint64_t multiplier = 0;
};

/// Compares the counter with CLOCK_MONOTONIC for a few milliseconds. 0 where the kernel itself does not trust the
/// counter as a clock source.
TickRate measure_tick_rate();

/// CLOCK_MONOTONIC in nanoseconds for about the price of reading the time stamp counter. Asks the kernel again about
/// once a second, so it does not drift; may step back by less than a microsecond then. For one thread.
class FastClock {
 public:
  explicit FastClock(TickRate rate = {}) : multiplier_(rate.multiplier) { anchor(); }

  std::int64_t now() {
#if defined(__x86_64__)
    if (multiplier_ != 0) {
      const std::uint64_t passed = read_ticks() - anchor_ticks_;
      if (passed < kAnchorTicks) [[likely]] {
        return anchor_ns_ + static_cast<std::int64_t>((passed * multiplier_) >> 32);
      }
      anchor();
      return anchor_ns_;
    }
#endif
    return now_ns();
  }

 private:
  /// Ticks that passed times the multiplier must fit in 64 bits.
  static constexpr std::uint64_t kAnchorTicks = std::uint64_t{1} << 31;

  void anchor();

  std::uint64_t multiplier_;
  std::uint64_t anchor_ticks_ = 0;
  std::int64_t anchor_ns_ = 0;
};

}  // namespace pystream::base
