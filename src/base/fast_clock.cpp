#include "base/fast_clock.hpp"

#include <ctime>
#include <fstream>
#include <string>

namespace pystream::base {
namespace {

#if defined(__x86_64__)
constexpr std::int64_t kMeasureNs = 5'000'000;

bool kernel_trusts_counter() {
  std::ifstream file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string source;
  return file >> source && source == "tsc";
}

/// The counter and the time of one moment: of several tries the one that took least.
struct Moment {
  std::uint64_t ticks = 0;
  std::int64_t ns = 0;
};

Moment moment() {
  Moment best;
  std::uint64_t best_width = ~std::uint64_t{0};
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = read_ticks();
    const std::int64_t ns = now_ns();
    const std::uint64_t width = read_ticks() - before;
    if (width < best_width) {
      best_width = width;
      best = {.ticks = before + width / 2, .ns = ns};
    }
  }
  return best;
}
#endif

}  // namespace

TickRate measure_tick_rate() {
#if defined(__x86_64__)
  if (kernel_trusts_counter()) {
    const Moment first = moment();
    const timespec pause{.tv_sec = 0, .tv_nsec = kMeasureNs};
    ::nanosleep(&pause, nullptr);
    const Moment second = moment();
    const std::uint64_t ticks = second.ticks - first.ticks;
    const double ns_per_tick = static_cast<double>(second.ns - first.ns) / static_cast<double>(ticks > 0 ? ticks : 1);
    const auto multiplier = static_cast<std::uint64_t>(ns_per_tick * 0x1p32);
    // Outside of 0.5 to 8 GHz this is no time stamp counter.
    if (ticks > 0 && multiplier >= (std::uint64_t{1} << 29) && multiplier <= (std::uint64_t{1} << 33)) {
      return {multiplier};
    }
  }
#endif
  return {};
}

void FastClock::anchor() {
#if defined(__x86_64__)
  if (multiplier_ != 0) {
    const Moment now = moment();
    anchor_ticks_ = now.ticks;
    anchor_ns_ = now.ns;
  }
#endif
}

}  // namespace pystream::base
