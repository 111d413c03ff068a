#pragma once

#include <pystream/error.hpp>

namespace pystream::nats {

/// The log does not answer at present; it is asked again.
class LogUnreachable : public Error {
 public:
  using Error::Error;
};

/// What stands in a log cannot be used: damaged, of another plan, or with a hole.
class LogUnusable : public Error {
 public:
  using Error::Error;
};

/// Another instance of this part, with a higher epoch, writes the log.
class TakenOver : public Error {
 public:
  using Error::Error;
};

}  // namespace pystream::nats
