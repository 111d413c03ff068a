#include "coord/launcher.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include "base/kill_point.hpp"
#include "base/open_fds.hpp"
#include "base/pidfd.hpp"
#include "base/system_error.hpp"
#include "worker/worker_process.hpp"

namespace pystream::coord {
namespace {

// Descriptors as worker_main() expects them.
constexpr int kSegmentFd = 3;
constexpr int kBellFd = 4;
constexpr int kFirstSpareFd = 10;

struct Pipe {
  base::UniqueFd read;
  base::UniqueFd write;
};

Pipe make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) {
    base::throw_errno("cannot make a pipe for a worker's standard error");
  }
  return {base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

/// In the parent: what is left to do once the child exists.
Launched adopt(pid_t pid, Pipe pipe) {
  if (pid < 0) {
    base::throw_errno("cannot start a worker");
  }
  ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK);
  return {.pid = pid, .pidfd = base::open_pidfd(pid), .errors = std::move(pipe.read)};
}

/// In the child of a fork: from here on, and through exec, it dies with its parent. The worker sees to that itself, but
/// a program may hang before it comes to its own code.
void die_with(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {
    ::_exit(EXIT_FAILURE);  // the parent died before the line above
  }
}

/// In the child of a fork, before exec: only async-signal-safe calls.
[[noreturn]] void become_program(char* const* argv, const LaunchFds& fds, int error_fd, bool keeps_stdin) {
  // Out of the way of 3 and 4 first.
  const int segment = ::fcntl(fds.segment, F_DUPFD, kFirstSpareFd);
  const int bell = ::fcntl(fds.bell, F_DUPFD, kFirstSpareFd);
  const int errors = ::fcntl(error_fd, F_DUPFD, kFirstSpareFd);
  ::dup2(segment, kSegmentFd);
  ::dup2(bell, kBellFd);
  ::dup2(errors, STDERR_FILENO);
  if (!keeps_stdin) {
    const int null = ::open("/dev/null", O_RDONLY);
    ::dup2(null, STDIN_FILENO);
  }
  ::close_range(kBellFd + 1, ~0U, 0);
  for (const int signal :
       {SIGINT, SIGHUP, SIGQUIT}) {  // must not fall into the gap until the worker ignores them itself
    std::signal(signal, SIG_IGN);
  }
  // Blocked signals of the coordinator would be inherited; the worker unblocks them once its handlers stand.
  ::execv(argv[0], argv);
  constexpr std::string_view kFailed = "cannot run the worker program\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kFailed.data(), kFailed.size());
  ::_exit(127);
}

}  // namespace

Launched SpawnLauncher::launch(plan::WorkerId id, const LaunchFds& fds) {
  Pipe pipe = make_pipe();
  const pid_t parent = ::getpid();
  std::array<std::string, 4> words{program_.string(), "work", std::to_string(id), std::to_string(parent)};
  std::array<char*, 5> argv{words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  const bool keeps_stdin = keeps_stdin_.contains(id);
  const pid_t pid = ::fork();
  if (pid == 0) {
    base::kill_points_are_for(id);
    base::kill_point(base::KillPoint::before_exec);
    die_with(parent);
    become_program(argv.data(), fds, pipe.write.get(), keeps_stdin);
  }
  return adopt(pid, std::move(pipe));
}

Launched ForkLauncher::launch(plan::WorkerId id, const LaunchFds& fds) {
  Pipe pipe = make_pipe();
  const int parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) {
    return adopt(pid, std::move(pipe));
  }
  base::kill_points_are_for(id);
  base::kill_point(base::KillPoint::before_exec);
  worker::adopt_worker_signals(parent);
  ::dup2(pipe.write.get(), STDERR_FILENO);
  pipe = {};
  base::UniqueFd segment(::fcntl(fds.segment, F_DUPFD_CLOEXEC, 0));
  base::UniqueFd bell(::fcntl(fds.bell, F_DUPFD_CLOEXEC, 0));
  std::vector<int> kept = keeps_;
  kept.insert(kept.end(), {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, segment.get(), bell.get()});
  base::close_all_but(std::move(kept));
  // Nothing may come out of here: above stands the coordinator's own code.
  try {
    const int code = body_(id, std::move(segment), std::move(bell));
    std::cout.flush();  // what the stages printed; _exit() would drop it
    std::fflush(stdout);
    ::_exit(code);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    std::fflush(stderr);
  } catch (...) {
  }
  ::_exit(EXIT_FAILURE);
}

}  // namespace pystream::coord
