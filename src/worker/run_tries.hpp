#pragma once

#include <algorithm>
#include <cstdint>

namespace pystream::worker {

/// Says whether to try another run. Where outputs differ in size, a run that is cut short costs more than it gives; so
/// each such run is followed by twice as many calls without one.
class RunTries {
 public:
  /// The next call is one without a run.
  bool passes() {
    if (left_ == 0) {
      return false;
    }
    --left_;
    return true;
  }
  /// A run took this many inputs. `cut`: because the last one did not fit into it.
  void note(std::uint32_t inputs, bool cut) {
    if (inputs > kShort) {
      next_ = 1;
    } else if (cut) {
      left_ = next_;
      next_ = std::min(2 * next_, kMost);
    }
  }

 private:
  static constexpr std::uint32_t kShort = 4;  ///< inputs of a run that did not pay
  static constexpr std::uint32_t kMost = 1024;

  std::uint32_t left_ = 0;  ///< calls without a run
  std::uint32_t next_ = 1;  ///< after the next run that was cut short
};

}  // namespace pystream::worker
