#include "coord/drain.hpp"

#include <utility>

namespace pystream::coord {

void Drain::begin(LiveStatus status, std::chrono::nanoseconds now) {
  if (begun_) {
    return;
  }
  begun_ = true;
  notice_.begin(now);
  noticed_ = std::move(status);
  if (timeout_) {
    deadline_ = now + *timeout_;
  }
}

bool Drain::times_out(std::chrono::nanoseconds now) {
  if (timed_out_ || !deadline_ || now < *deadline_) {
    return false;
  }
  timed_out_ = true;
  return true;
}

std::string Drain::notice(LiveStatus status, const std::string& advice) {
  std::string text = DrainNotice::text(noticed_, status, advice);
  noticed_ = std::move(status);
  return text;
}

}  // namespace pystream::coord
