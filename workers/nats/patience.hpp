#pragma once

#include <string>

namespace pystream::nats {

/// What to do while a log is full or does not answer. Tests wait for nothing.
class Patience {
 public:
  virtual ~Patience() = default;
  /// Waits before the `attempt`-th next try (from 1 on), longer each time, and tells people `why` now and then.
  virtual void wait(unsigned attempt, const std::string& why) = 0;
  /// It worked again, after some wait().
  virtual void note_success() = 0;
};

}  // namespace pystream::nats
