#include "base/helper_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/fd_places.hpp"
#include "base/system_error.hpp"

namespace pystream::base {
namespace {

constexpr int kCannotRun = 127;

/// In the child: async-signal-safe calls only.
[[noreturn]] void give_up(const char* what) {
  const int error = errno;
  for (const char* part : {"cannot start a helper process: ", what, ": ", ::strerrordesc_np(error), "\n"}) {
    if (part != nullptr && ::write(STDERR_FILENO, part, std::strlen(part)) < 0) {
      break;
    }
  }
  ::_exit(kCannotRun);
}

void set_signals() {
  for (int number = 1; number < NSIG; ++number) {
    ::signal(number, SIG_DFL);  // refused for SIGKILL and SIGSTOP
  }
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
    ::signal(ignored, SIG_IGN);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

pid_t start_helper(const HelperCommand& command) {
  std::vector<std::string> words = command.arguments;
  std::vector<char*> argv;
  std::transform(words.begin(), words.end(), std::back_inserter(argv), [](std::string& word) { return word.data(); });
  argv.push_back(nullptr);
  std::vector<FdPlace> places(2);  // of standard input and output
  for (const int fd : command.fds) {
    places.push_back({.fd = fd, .number = static_cast<int>(places.size()) + 1});
  }
  if (command.errors >= 0) {
    places.push_back({.fd = command.errors, .number = STDERR_FILENO});
  }
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    throw_errno("cannot start " + command.arguments.front());
  }
  if (pid > 0) {
    return pid;
  }
  set_signals();
  if (command.dies_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
      ::_exit(kCannotRun);  // it died before the line above
    }
  }
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) {
    give_up("/dev/null");
  }
  places[0] = {.fd = null, .number = STDIN_FILENO};
  places[1] = {.fd = null, .number = STDOUT_FILENO};
  if (!place_fds(places)) {
    give_up("its descriptors");
  }
  ::execv(argv[0], argv.data());
  give_up(argv[0]);
}

}  // namespace pystream::base
