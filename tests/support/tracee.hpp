#pragma once

#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <utility>

#include "support/instruction_stepper.hpp"

namespace pystream::test {

/// A process of somebody else, stopped and led on by instructions or system calls; calls into the vdso are passed over.
/// Killed at the latest when this object ends.
class Tracee {
 public:
  /// Throws std::system_error if it may not be traced, or has ended.
  explicit Tracee(pid_t pid) : pid_(pid), stepper_(pid) {
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACESYSGOOD) != 0 ||
        ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) != 0) {
      throw std::system_error(errno, std::generic_category(), "cannot trace a process");
    }
    wait();
    while (pid_ != 0 && stepper_.inside() && lead_on(PTRACE_CONT, [this] {
             ::usleep(100);
             ::ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr);
           })) {
    }
  }
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;
  ~Tracee() { kill(); }

  /// One instruction; false if the process has ended.
  bool step() {
    const std::optional<int> status = pid_ != 0 ? stepper_.step(signal_) : std::nullopt;
    return note(status.value_or(0));
  }
  /// To the next entry or exit of a system call; false if the process has ended.
  bool run_to_system_call() {
    return lead_on(PTRACE_SYSCALL, [] {});
  }
  /// True at the entry of that system call.
  bool enters(long number) const {
    user_regs_struct registers{};
    return ::ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) == 0 &&
           static_cast<long>(registers.orig_rax) == number && static_cast<long>(registers.rax) == -ENOSYS;
  }
  /// Lets it go on untraced.
  void detach() {
    if (const pid_t pid = std::exchange(pid_, 0); pid != 0) {
      ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
    }
  }
  /// Lets it go with a signal, which ends it. REQUIRES: its parent reaps it.
  void end_with(int signal) {
    if (const pid_t pid = std::exchange(pid_, 0); pid != 0) {
      ::kill(pid, signal);
      ::ptrace(PTRACE_DETACH, pid, nullptr, nullptr);  // fails if it is dead already
    }
  }
  /// SIGKILL. For processes that are not this one's children; their parent may reap them afterwards.
  void kill() {
    if (const pid_t pid = std::exchange(pid_, 0); pid != 0) {
      ::kill(pid, SIGKILL);
      int status = 0;
      while (::waitpid(pid, &status, __WALL) == pid && !WIFSIGNALED(status) && !WIFEXITED(status)) {
      }
    }
  }

 private:
  template <class Request, class Meanwhile>
  bool lead_on(Request request, Meanwhile meanwhile) {
    if (pid_ == 0 || ::ptrace(request, pid_, nullptr, reinterpret_cast<void*>(std::intptr_t{signal_})) != 0) {
      return false;
    }
    meanwhile();
    stepper_.forget_place();
    return wait();
  }
  bool wait() {
    int status = 0;
    return note(::waitpid(pid_, &status, __WALL) == pid_ ? status : 0);
  }
  /// What waitpid() said; false if the process has ended.
  bool note(int status) {
    if (!WIFSTOPPED(status)) {
      pid_ = 0;
      return false;
    }
    const int signal = WSTOPSIG(status) & ~0x80;
    signal_ = signal == SIGTRAP ? 0 : signal;  // what was sent to it, it gets with the next request
    return true;
  }

  pid_t pid_;
  InstructionStepper stepper_;
  int signal_ = 0;
};

}  // namespace pystream::test
