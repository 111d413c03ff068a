#pragma once

#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <utility>

namespace pystream::test {

/// A process of somebody else, stopped and led on by instructions or system calls. Killed at the latest when this
/// object ends.
class Tracee {
 public:
  /// Throws std::system_error if it may not be traced, or has ended.
  explicit Tracee(pid_t pid) : pid_(pid) {
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, PTRACE_O_TRACESYSGOOD) != 0 ||
        ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) != 0) {
      throw std::system_error(errno, std::generic_category(), "cannot trace a process");
    }
    wait();
  }
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;
  ~Tracee() { kill(); }

  /// One instruction; false if the process has ended.
  bool step() { return lead_on(PTRACE_SINGLESTEP); }
  /// To the next entry or exit of a system call; false if the process has ended.
  bool run_to_system_call() { return lead_on(PTRACE_SYSCALL); }
  /// True at the entry of that system call.
  bool enters(long number) const {
    user_regs_struct registers{};
    return ::ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) == 0 &&
           static_cast<long>(registers.orig_rax) == number && static_cast<long>(registers.rax) == -ENOSYS;
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
  template <class Request>
  bool lead_on(Request request) {
    if (pid_ == 0 || ::ptrace(request, pid_, nullptr, reinterpret_cast<void*>(std::intptr_t{signal_})) != 0) {
      return false;
    }
    return wait();
  }
  bool wait() {
    int status = 0;
    if (::waitpid(pid_, &status, __WALL) != pid_ || !WIFSTOPPED(status)) {
      pid_ = 0;
      return false;
    }
    const int signal = WSTOPSIG(status) & ~0x80;
    signal_ = signal == SIGTRAP ? 0 : signal;  // what was sent to it, it gets with the next request
    return true;
  }

  pid_t pid_;
  int signal_ = 0;
};

}  // namespace pystream::test
