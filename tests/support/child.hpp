#pragma once

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include "support/instruction_stepper.hpp"
#include "support/sanitized.hpp"

/// Child processes of a test: forked, killed, single-stepped.
namespace pystream::test {

/// A child that takes longer than this hangs, and dies of SIGALRM.
inline constexpr unsigned kChildSeconds = kSanitized ? 600 : 300;

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

/// Runs a body in a child process freely to its first step_mark(), then one instruction at a time to the second; calls
/// into the vdso are passed over.
class SteppedChild {
 public:
  explicit SteppedChild(const std::function<void()>& body, CodeRange also_passed = {})
      : child_([&body] {
          ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
          body();
        }),
        stepper_(child_.pid(), also_passed) {
    int status = 0;
    running_ = ::waitpid(child_.pid(), &status, 0) == child_.pid() && stop_signal(status) == SIGSTOP;
  }
  /// False once the second mark was reached, or the child has ended.
  bool step() {
    const std::optional<int> status = running_ ? stepper_.step(0) : std::nullopt;
    if (!status) {
      running_ = false;
      return false;
    }
    ++steps_;
    const int signal = stop_signal(*status);
    running_ = signal == SIGTRAP;
    reached_end_ = signal == SIGSTOP;
    return running_;
  }
  bool running() const { return running_; }
  bool reached_end() const { return reached_end_; }
  std::uint64_t steps() const { return steps_; }
  /// Calls that were passed over, and whether the child stands in one all the same.
  std::uint64_t passes() const { return stepper_.passes(); }
  bool inside_passed_code() { return stepper_.inside(); }
  void kill() {
    if (!gone_) {
      child_.kill();
      gone_ = true;
    }
  }

 private:
  /// 0: it has ended.
  static int stop_signal(int status) { return WIFSTOPPED(status) ? WSTOPSIG(status) : 0; }

  Child child_;
  InstructionStepper stepper_;
  bool running_ = false;
  bool reached_end_ = false;
  bool gone_ = false;
  std::uint64_t steps_ = 0;
};

/// How long a step takes on this machine, as it is now.
inline double seconds_of_a_step() {
  constexpr int kSteps = 500;
  SteppedChild child([] {
    step_mark();
    for (volatile int i = 0; i < 100 * kSteps;) {
      i = i + 1;
    }
    step_mark();
  });
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kSteps && child.step(); ++i) {
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() / kSteps;
}

}  // namespace pystream::test
