#include "base/process_start.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <utility>

namespace pystream::base {

void reset_ignored_signals() noexcept {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    const bool on_purpose = signal == SIGHUP || signal == SIGINT || signal == SIGQUIT;
    if (!on_purpose && is_ignored(signal)) {
      std::signal(signal, SIG_DFL);
    }
  }
}

void reset_all_signals() noexcept {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    std::signal(signal, SIG_DFL);  // refused for SIGKILL, SIGSTOP and the C library's own
  }
}

void unblock_all_signals() noexcept {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool is_ignored(int signal) noexcept {
  struct sigaction action {};
  return ::sigaction(signal, nullptr, &action) == 0 && (action.sa_flags & SA_SIGINFO) == 0 &&
         action.sa_handler == SIG_IGN;
}

void make_harmless(int signal) noexcept {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  ::sigaction(signal, &action, nullptr);
}

bool fill_standard_descriptors() noexcept {
  for (const auto& [fd, flags] :
       {std::pair(STDIN_FILENO, O_WRONLY), std::pair(STDOUT_FILENO, O_RDONLY), std::pair(STDERR_FILENO, O_WRONLY)}) {
    // Ascending, so what is opened takes the lowest place, which is this one.
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", flags) != fd) {
      return false;
    }
  }
  return true;
}

}  // namespace pystream::base
