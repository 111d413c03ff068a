#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "coord/live_status.hpp"

namespace pystream::coord {

/// When to tell people that a drain takes long, and what: first after a second, then less and less often, at least
/// every half minute. Has no clock of its own.
class DrainNotice {
 public:
  void begin(std::chrono::nanoseconds now);
  /// True once for each notice that is due.
  bool is_due(std::chrono::nanoseconds now);
  /// What is inside, where most of it is, how long it takes at the rate since `before` (an earlier status of the same
  /// pipeline), and `advice`: how to stop at once.
  static std::string text(const LiveStatus& before, const LiveStatus& now, const std::string& advice);

 private:
  std::optional<std::chrono::nanoseconds> next_;
  std::chrono::nanoseconds period_{};
};

}  // namespace pystream::coord
