#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>

namespace pystream::test {

/// Which of the places on a way a test visits: evenly spread, every n-th if the time allows it, fewer if a visit takes
/// long on this machine. So the test ends on any machine.
class Visits {
 public:
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;

  /// `places`: on the way. `first`: the first that is visited. `budget`: for all visits together.
  Visits(std::uint64_t places, std::uint64_t stride, Seconds budget, std::uint64_t first = 0)
      : places_(places), stride_(std::max<std::uint64_t>(stride, 1)), next_(first), left_(budget) {}

  bool is_due(std::uint64_t place) const { return place >= next_; }
  /// Visits this place, by calling `look`, if it is one to be visited.
  template <class Look>
  void at(std::uint64_t place, Look look) {
    if (!is_due(place)) {
      return;
    }
    const Clock::time_point began = Clock::now();
    look();
    note(place, Clock::now() - began);
  }
  std::uint64_t done() const { return done_; }
  /// Prints how many there were of how many.
  void report(const char* what) const {
    std::printf("%llu %s at %llu places%s\n", static_cast<unsigned long long>(done_), what,
                static_cast<unsigned long long>(places_),
                thinned_ ? ", fewer than intended: this machine is slow" : "");
    std::fflush(stdout);
  }
  /// After a visit that took so long.
  void note(std::uint64_t place, Seconds took) {
    ++done_;
    spent_ += took;
    left_ -= took;
    const double mean = spent_.count() / static_cast<double>(done_);
    const double affordable = std::max(left_.count() / std::max(mean, 1e-9), 0.0);
    const auto ahead = static_cast<double>(places_ > place ? places_ - place : 0);
    const double wide = affordable >= 1 ? ahead / affordable : ahead + 1;
    thinned_ |= wide > static_cast<double>(stride_) + 1;
    next_ = place + std::max(stride_, static_cast<std::uint64_t>(wide));
  }

 private:
  std::uint64_t places_;
  std::uint64_t stride_;
  std::uint64_t next_;
  Seconds left_;
  Seconds spent_{};
  std::uint64_t done_ = 0;
  bool thinned_ = false;
};

}  // namespace pystream::test
