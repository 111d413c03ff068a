#pragma once

#include <csignal>
#include <ctime>

namespace pystream::core {

/// While it lives, a write to a pipe without a reader gives EPIPE to this thread and no SIGPIPE, without touching
/// the process's signal dispositions.
class SigpipeGuard {
 public:
  SigpipeGuard() {
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    const sigset_t set = only_sigpipe();
    pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;
  ~SigpipeGuard() {
    if (raised_ && !was_pending_) {
      const sigset_t set = only_sigpipe();
      const timespec none{};
      sigtimedwait(&set, nullptr, &none);
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  /// To be called after a write gave EPIPE: the signal that came with it is discarded.
  void note_epipe() { raised_ = true; }

 private:
  static sigset_t only_sigpipe() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    return set;
  }
  sigset_t before_{};
  bool was_pending_ = false;
  bool raised_ = false;
};

}  // namespace pystream::core
