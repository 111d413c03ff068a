#include "base/nap.hpp"

#include <sys/prctl.h>

#include <ctime>

namespace pystream::base {

void nap(std::int64_t ns) noexcept {
  // The thread may be a user's, and what it starts would inherit the slack.
  const int slack = ::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
  ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  const timespec time{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  ::nanosleep(&time, nullptr);
  if (slack > 0) {
    ::prctl(PR_SET_TIMERSLACK, slack, 0, 0, 0);
  }
}

}  // namespace pystream::base
