#include "coord/launcher.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

#include "base/fd_places.hpp"
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
constexpr std::size_t kMostPlaces = 6;  ///< of descriptors that a worker program is given
constexpr int kOutputFd = 5;

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
    base::throw_errno(errno == EAGAIN
                          ? "cannot start a worker: the system allows no more processes (ulimit -u, pids.max)"
                          : "cannot start a worker");
  }
  try {
    if (::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0) {
      base::throw_errno("cannot watch a worker's standard error");
    }
    return {.pid = pid, .pidfd = base::open_pidfd(pid), .errors = std::move(pipe.read)};
  } catch (...) {
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    throw;
  }
}

/// In the child of a fork: from here on, and through exec, it dies with its parent. The worker sees to that itself, but
/// a program may hang before it comes to its own code.
void die_with(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {
    ::_exit(EXIT_FAILURE);  // the parent died before the line above
  }
}

/// In the child of a fork, before exec: only async-signal-safe calls. `error_fd` becomes the worker's log.
/// `places`: room for them, made before the fork.
[[noreturn]] void become_program(char* const* argv, const LaunchFds& fds, int error_fd, const WorkerStreams& streams,
                                 std::uint64_t least_fds, std::vector<base::FdPlace>& places) {
  const auto give_up = [error_fd](std::string_view what) {
    const char* why = ::strerrordesc_np(errno);
    for (const std::string_view part : {what, std::string_view(why != nullptr ? why : "?"), std::string_view("\n")}) {
      [[maybe_unused]] const ssize_t written = ::write(error_fd, part.data(), part.size());
    }
    ::_exit(127);
  };
  std::size_t count = 0;
  const auto place = [&](int fd, int number) { places[count++] = {fd, number}; };
  place(fds.segment, kSegmentFd);
  place(fds.bell, kBellFd);
  place(error_fd, STDERR_FILENO);
  for (const int fd : streams.handed) {
    place(fd, fd);
  }
  if (streams.output == WorkerStreams::Output::passed) {
    place(STDOUT_FILENO, kOutputFd);
  }
  if (streams.output != WorkerStreams::Output::kept) {
    place(error_fd, STDOUT_FILENO);
  }
  if (!streams.input) {
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0) {
      give_up("cannot open /dev/null for a worker: ");
    }
    place(null, STDIN_FILENO);
  }
  if (!base::place_fds(std::span(places).first(count))) {
    give_up("cannot hand a worker its descriptors: ");
  }
  base::lower_fd_limit(least_fds);
  for (const int signal : {SIGINT, SIGHUP, SIGQUIT}) {  // not into the gap until the worker ignores them itself
    std::signal(signal, SIG_IGN);
  }
  // Blocked signals of the coordinator would be inherited; the worker unblocks them once its handlers stand.
  ::execv(argv[0], argv);
  give_up("cannot run the worker program: ");
  ::_exit(127);
}

}  // namespace

Launched SpawnLauncher::launch(plan::WorkerId id, const LaunchFds& fds) {
  Pipe pipe = make_pipe();
  const pid_t parent = ::getpid();
  const WorkerStreams streams = id < streams_.size() ? streams_[id] : WorkerStreams();
  std::vector<std::string> words{program_.string(), "work", std::to_string(id), std::to_string(parent),
                                 std::string(fds.name)};
  if (streams.output == WorkerStreams::Output::passed) {
    words.emplace_back("output");
  }
  std::vector<char*> argv;
  std::transform(words.begin(), words.end(), std::back_inserter(argv), [](std::string& word) { return word.data(); });
  argv.push_back(nullptr);
  std::vector<base::FdPlace> places(kMostPlaces + streams.handed.size());
  const pid_t pid = ::fork();
  if (pid == 0) {
    base::kill_points_are_for(id);
    base::kill_point(base::KillPoint::before_exec);
    die_with(parent);
    become_program(argv.data(), fds, pipe.write.get(), streams, fds_, places);
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
  // Nothing may come out of here: above stands the coordinator's own code.
  try {
    if (::dup2(pipe.write.get(), STDERR_FILENO) < 0) {
      base::throw_errno("cannot give a worker its standard error");
    }
    pipe = {};
    base::UniqueFd segment(::fcntl(fds.segment, F_DUPFD_CLOEXEC, 0));
    base::UniqueFd bell(::fcntl(fds.bell, F_DUPFD_CLOEXEC, 0));
    if (!segment || !bell) {
      base::throw_errno("cannot hand a worker its descriptors");
    }
    std::vector<int> kept = keeps_;
    kept.insert(kept.end(), {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, segment.get(), bell.get()});
    base::close_all_but(std::move(kept));
    base::lower_fd_limit(fds_);
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
