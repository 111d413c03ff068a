#pragma once

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <utility>

#include "support/sanitized.hpp"

/// Child processes of a test: forked, killed, single-stepped.
namespace pystream::test {

/// A child that takes longer than this hangs, and dies of SIGALRM.
inline constexpr unsigned kChildSeconds = kSanitized ? 600 : 100;

/// Runs `body` in a forked process, which exits with 0 unless the body throws (1) or exits by itself.
class Child {
 public:
  explicit Child(const std::function<void()>& body) : pid_(::fork()) {
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::alarm(kChildSeconds);
      try {
        body();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "child: %s\n", error.what());
        ::_exit(1);
      }
      ::_exit(0);
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      kill();
    }
  }

  pid_t pid() const { return pid_; }
  void signal(int number) const { ::kill(pid_, number); }
  /// The status as waitpid() gives it.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return status;
  }
  int kill() {
    signal(SIGKILL);
    return wait();
  }
  /// Reaps it if it has ended by itself.
  bool ended() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) {
      pid_ = 0;
    }
    return pid_ == 0;
  }
  /// After ended().
  int status() const { return status_; }

 private:
  pid_t pid_;
  int status_ = 0;
};

/// In a stepped body: steps begin, and end, here.
inline void step_mark() {
  ::raise(SIGSTOP);
}

/// Runs a body in a child process freely to its first step_mark(), then one instruction at a time to the second.
class SteppedChild {
 public:
  explicit SteppedChild(const std::function<void()>& body)
      : child_([&body] {
          ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
          body();
        }) {
    running_ = wait_for_stop() == SIGSTOP;
  }
  /// False once the second mark was reached, or the child has ended.
  bool step() {
    if (!running_ || ::ptrace(PTRACE_SINGLESTEP, child_.pid(), nullptr, nullptr) != 0) {
      return false;
    }
    ++steps_;
    const int signal = wait_for_stop();
    running_ = signal == SIGTRAP;
    reached_end_ = signal == SIGSTOP;
    return running_;
  }
  bool running() const { return running_; }
  bool reached_end() const { return reached_end_; }
  std::uint64_t steps() const { return steps_; }
  void kill() {
    if (!gone_) {
      child_.kill();
      gone_ = true;
    }
  }

 private:
  /// The signal that the child stopped with; 0 if it has ended.
  int wait_for_stop() {
    int status = 0;
    ::waitpid(child_.pid(), &status, 0);
    return WIFSTOPPED(status) ? WSTOPSIG(status) : 0;
  }

  Child child_;
  bool running_ = false;
  bool reached_end_ = false;
  bool gone_ = false;
  std::uint64_t steps_ = 0;
};

}  // namespace pystream::test
