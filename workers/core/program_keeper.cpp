#include "core/program_keeper.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

namespace pystream::core {
namespace {

constexpr unsigned kCloseRangeCloexec = 1U << 2;
constexpr const char* kChildren = "/proc/thread-self/children";

[[noreturn]] void give_up(int report, StartFault::Step step) {
  const StartFault fault{step, errno};
  [[maybe_unused]] const ssize_t sent = ::write(report, &fault, sizeof fault);
  ::_exit(127);
}

/// Closes all descriptors from `first` on, or has exec close them.
bool close_from(int first, bool at_exec) {
  if (::syscall(SYS_close_range, static_cast<unsigned>(first), ~0U, at_exec ? kCloseRangeCloexec : 0U) == 0) {
    return true;
  }
  if (errno != ENOSYS && errno != EINVAL) {
    return false;
  }
  const long end = ::sysconf(_SC_OPEN_MAX);  // an older kernel
  for (int fd = first; fd < end; ++fd) {
    if (at_exec) {
      ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    } else {
      ::close(fd);
    }
  }
  return true;
}

/// As a program expects them, whatever the worker ignores or blocks. The terminal's Ctrl-C is for the coordinator.
void reset_signals() {
  for (int number = 1; number < NSIG; ++number) {
    ::signal(number, SIG_DFL);
  }
  ::signal(SIGINT, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void become_program(const ProgramStart& start, pid_t keeper) {
  if (::setpgid(0, 0) != 0 || ::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    give_up(start.report, StartFault::process);
  }
  if (::getppid() != keeper) {
    ::_exit(127);
  }
  reset_signals();
  if (::dup2(start.input, STDIN_FILENO) < 0 || ::dup2(start.output, STDOUT_FILENO) < 0 ||
      !close_from(STDERR_FILENO + 1, true)) {
    give_up(start.report, StartFault::descriptors);
  }
  if (start.directory[0] != '\0' && ::chdir(start.directory) != 0) {
    give_up(start.report, StartFault::directory);
  }
  ::execvpe(start.arguments[0], start.arguments, start.environment);
  give_up(start.report, StartFault::program);
}

/// Sends SIGKILL to every child of this process; false if they cannot be listed.
bool kill_children() {
  const int list = ::open(kChildren, O_RDONLY | O_CLOEXEC);
  if (list < 0) {
    return false;
  }
  pid_t pid = 0;
  char chunk[4096];
  for (ssize_t got = 0; (got = ::read(list, chunk, sizeof chunk)) > 0 || (got < 0 && errno == EINTR);) {
    for (ssize_t i = 0; i < got; ++i) {
      if (chunk[i] >= '0' && chunk[i] <= '9') {
        pid = pid * 10 + (chunk[i] - '0');
      } else if (pid > 0) {
        ::kill(pid, SIGKILL);
        pid = 0;
      }
    }
  }
  if (pid > 0) {
    ::kill(pid, SIGKILL);
  }
  ::close(list);
  return true;
}

class Keeper {
 public:
  /// `signals` gives SIGCHLD, and SIGTERM once the worker `parent` is dead.
  Keeper(pid_t program, pid_t parent, int control, int signals)
      : program_(program), parent_(parent), control_(control), signals_(signals) {}

  [[noreturn]] void run() {
    while (!is_told_to_end()) {
      reap();
    }
    end_all();
    ::_exit(0);
  }

 private:
  /// Waits for something to happen.
  bool is_told_to_end() const {
    pollfd ends[2] = {{.fd = control_, .events = POLLIN, .revents = 0},
                      {.fd = signals_, .events = POLLIN, .revents = 0}};
    if (::poll(ends, 2, -1) < 0) {
      return errno != EINTR;
    }
    bool told = ends[0].revents != 0;
    signalfd_siginfo info{};
    while (ends[1].revents != 0 && ::read(signals_, &info, sizeof info) == sizeof info) {
      told = told || (info.ssi_signo == SIGTERM && ::getppid() != parent_);  // anybody can send SIGTERM
    }
    return told;
  }

  void note_end(pid_t pid, int status) {
    if (pid == program_) {
      ended_ = true;
      [[maybe_unused]] const ssize_t sent = ::send(control_, &status, sizeof status, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  }

  void reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      note_end(pid, status);
    }
  }

  /// A process that ends hands its children to this one before it can be reaped. A list that is read while children
  /// end may lack some, so it is read again until no child is left.
  void end_all() {
    constexpr int kLookAgainMs = 10;
    ::kill(-program_, SIGKILL);
    while (kill_children() || !ended_) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid > 0) {
        note_end(pid, status);
      } else if (pid == 0) {
        pollfd ended{.fd = signals_, .events = POLLIN, .revents = 0};
        signalfd_siginfo info{};
        ::poll(&ended, 1, kLookAgainMs);
        while (::read(signals_, &info, sizeof info) == sizeof info) {
        }
      } else if (errno != EINTR) {
        return;  // no child is left
      }
    }
  }

  pid_t program_;
  pid_t parent_;
  int control_;
  int signals_;
  bool ended_ = false;
};

}  // namespace

void keep_program(const ProgramStart& start) {
  constexpr int kControl = 0;
  constexpr int kSignals = 1;
  // A signal sent to the worker's process group or session must not end the one that cleans up behind it.
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t all;
  sigset_t wanted;
  ::sigfillset(&all);
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, SIGCHLD);
  ::sigaddset(&wanted, SIGTERM);
  const pid_t self = ::getpid();
  if (::setsid() < 0 || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || ::sigprocmask(SIG_SETMASK, &all, nullptr) != 0 ||
      ::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) {
    give_up(start.report, StartFault::process);
  }
  if (::getppid() != start.parent) {
    ::_exit(127);
  }
  ::prctl(PR_SET_NAME, kKeeperName);
  const int signals = ::signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signals < 0) {
    give_up(start.report, StartFault::descriptors);
  }
  const pid_t program = ::fork();
  if (program < 0) {
    give_up(start.report, StartFault::process);
  }
  if (program == 0) {
    become_program(start, self);
  }
  ::setpgid(program, program);  // here too, so that the group exists before anybody signals it
  // The pipes must have no other holder than the program, or their ends would not be seen. Standard error stays open:
  // the coordinator sees by it that nothing of a dead worker is left.
  if (::dup2(start.control, kControl) < 0 || ::dup2(signals, kSignals) < 0 || !close_from(STDERR_FILENO + 1, false)) {
    ::kill(-program, SIGKILL);
    give_up(start.report, StartFault::descriptors);
  }
  Keeper(program, start.parent, kControl, kSignals).run();
}

}  // namespace pystream::core
