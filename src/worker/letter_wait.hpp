#pragma once

#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>

#include "worker/monitor.hpp"

namespace pystream::worker {

/// A worker waits until its letter is on the disk: the phase while it lasts, the pauses, and one line that says why.
class LetterWait {
 public:
  explicit LetterWait(Monitor& monitor) : monitor_(monitor) {
    monitor_.set_phase(shm::Phase::blocked);  // a slow disk is no hang of the stage
  }
  ~LetterWait() { monitor_.set_phase(shm::Phase::working); }
  LetterWait(const LetterWait&) = delete;
  LetterWait& operator=(const LetterWait&) = delete;

  /// Before the next try. Throws Stopped.
  void pause() {
    monitor_.check_stop();
    ::nanosleep(&kPause, nullptr);
    note_waited(kPauseNs);
  }
  /// The caller has waited so long by itself.
  void note_waited(std::int64_t ns) {
    waited_ns_ += ns;
    if (waited_ns_ >= kSilentNs) {
      complain("the profile database has not been made yet, or is locked");
    }
  }
  void complain(const std::string& why) {
    if (!complained_) {
      std::fprintf(stderr, "a dead letter waits: %s\n", why.c_str());
      complained_ = true;
    }
  }

 private:
  static constexpr std::int64_t kPauseNs = 5'000'000;
  static constexpr timespec kPause{.tv_sec = 0, .tv_nsec = kPauseNs};
  static constexpr std::int64_t kSilentNs = 3'000'000'000;

  Monitor& monitor_;
  std::int64_t waited_ns_ = 0;
  bool complained_ = false;
};

}  // namespace pystream::worker
