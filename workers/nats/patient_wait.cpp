#include "nats/patient_wait.hpp"

#include <algorithm>
#include <cstdio>
#include <pystream/stage.hpp>
#include <thread>

namespace pystream::nats {
namespace {

using namespace std::chrono_literals;

constexpr auto kTellEvery = 10s;
constexpr unsigned kDoublings = 7;  ///< from 10 ms to 1.28 s

}  // namespace

void PatientWait::wait(unsigned attempt, const std::string& why) {
  const auto now = std::chrono::steady_clock::now();
  if (attempt > 1 && (!told_ || now - told_at_ > kTellEvery)) {
    std::fprintf(stderr, "%s waits: %s\n", who_.c_str(), why.c_str());
    told_ = true;
    told_at_ = now;
  }
  if (interruptible_ && draining()) {
    throw Interrupted();
  }
  std::this_thread::sleep_for(10ms * (1U << std::min(attempt - 1, kDoublings)));
}

void PatientWait::note_success() {
  if (std::exchange(told_, false)) {
    std::fprintf(stderr, "%s goes on\n", who_.c_str());
  }
}

}  // namespace pystream::nats
