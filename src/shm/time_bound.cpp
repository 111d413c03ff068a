#include "shm/time_bound.hpp"

#include <algorithm>

namespace pystream::shm {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kWindows = 8;           ///< in the time of the bound
constexpr double kShrinkInSecond = 0.1;        ///< share of the limit
constexpr double kMost = 1e9;                  ///< items; a ring holds fewer
constexpr std::uint64_t kMostWanted = 65'536;  ///< by a consumer, whose figure is not trusted

}  // namespace

TimeBound::TimeBound(std::int64_t time_ns, std::uint64_t fewest)
    : time_ns_(std::max<std::int64_t>(time_ns, 0)), fewest_(fewest), limit_(static_cast<double>(fewest)) {}

void TimeBound::grow() {
  watched_ = 0;
  if (!base::mutated(base::Mutation::no_growth_when_dry)) {
    limit_ = std::min(2 * limit_, kMost);
  }
}

void TimeBound::look(const Seen& seen) {
  if (seen.dry) {
    starved_ = true;
    if (watched_ > 0) {
      grow();
    }
  }
  learn(seen);
  limit_ = std::max(limit_, static_cast<double>(std::max(fewest_, std::min(seen.wanted, kMostWanted))));
}

void TimeBound::note_commit(bool dry) {
  if (watched_ > 0 && dry) {
    starved_ = true;
    grow();
  }
  watched_ = cut_ ? kWatched : std::max(watched_ - 1, 0);
  cut_ = false;
}

/// Adapts the limit to what was done in the window that ends now, if one does.
void TimeBound::learn(const Seen& seen) {
  const std::int64_t span = seen.now_ns - began_ns_;
  if (began_ns_ != 0 && span < time_ns_ / kWindows) {
    return;
  }
  if (began_ns_ != 0 && seen.done > begun_done_) {
    const double done = static_cast<double>(seen.done - begun_done_);
    const double in_time = done * static_cast<double>(time_ns_) / static_cast<double>(span);
    // A producer that waits looks at least once a second; in a longer window it was not the limit that held it up.
    const double seconds = static_cast<double>(std::min(span, kSecondNs)) / static_cast<double>(kSecondNs);
    if (!starved_ && limit_ > in_time) {
      limit_ = std::max(in_time, limit_ * (1 - kShrinkInSecond * seconds));
    }
    limit_ = std::clamp(in_time / static_cast<double>(kWindows), limit_, kMost);
  }
  began_ns_ = seen.now_ns;
  begun_done_ = seen.done;
  starved_ = false;
}

}  // namespace pystream::shm
