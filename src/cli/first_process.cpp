#include "cli/first_process.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <optional>

#include "base/system_error.hpp"

namespace pystream::cli {
namespace {

/// Reaps every process that has ended. The exit code of `child` if it is one of them.
std::optional<int> reap_all(pid_t child) {
  std::optional<int> code;
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == child) {
      code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
  }
  return code;
}

[[noreturn]] void be_first_process(pid_t child, const sigset_t& signals) {
  while (true) {
    siginfo_t info{};
    if (::sigwaitinfo(&signals, &info) < 0) {
      continue;  // EINTR
    }
    if (info.si_signo == SIGCHLD) {
      if (const auto code = reap_all(child)) {
        ::_exit(*code);  // the kernel kills what is left in the container
      }
    } else if (info.si_code != SI_KERNEL) {  // a terminal has sent the child its own
      ::kill(child, info.si_signo);
    }
  }
}

}  // namespace

void leave_first_process() {
  if (::getpid() != 1) {
    return;
  }
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, &before);
  const pid_t child = ::fork();
  if (child < 0) {
    base::throw_errno("cannot start a process below the first one");
  }
  if (child > 0) {
    be_first_process(child, all);
  }
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace pystream::cli
