#include "base/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "base/pidfd.hpp"
#include "base/system_error.hpp"
#include "base/unique_fd.hpp"

namespace pystream::base {
namespace {

constexpr unsigned kCloseRangeCloexec = 1U << 2;

/// Above the standard ones, so that no dup2() in the child overwrites it.
UniqueFd raised(int fd) {
  UniqueFd low(fd);
  if (fd > STDERR_FILENO || fd < 0) {
    return low;
  }
  return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw_errno("cannot make a pipe");
  }
  Pipe pipe{raised(ends[0]), raised(ends[1])};
  if (!pipe.read || !pipe.write || ::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0) {
    throw_errno("cannot make a pipe");
  }
  return pipe;
}

/// Standard input as a file in memory, so that no writer is needed.
UniqueFd file_with(std::string_view text) {
  UniqueFd file = raised(::memfd_create("stdin", MFD_CLOEXEC));
  while (file && !text.empty()) {
    const ssize_t put = ::write(file.get(), text.data(), text.size());
    if (put < 0 && errno != EINTR) {
      throw_errno("cannot keep the input of a program");
    }
    text.remove_prefix(put > 0 ? static_cast<std::size_t>(put) : 0);
  }
  if (!file || ::lseek(file.get(), 0, SEEK_SET) != 0) {
    throw_errno("cannot keep the input of a program");
  }
  return file;
}

std::string_view name_of(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

std::vector<std::string> environment_with(const std::vector<std::string>& changes) {
  std::vector<std::string> merged;
  std::copy_if(changes.begin(), changes.end(), std::back_inserter(merged),
               [](const std::string& change) { return change.find('=') != std::string::npos; });
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::none_of(changes.begin(), changes.end(),
                     [&](const std::string& change) { return name_of(change) == name_of(*entry); })) {
      merged.emplace_back(*entry);
    }
  }
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) {
    out.push_back(text.data());
  }
  out.push_back(nullptr);
  return out;
}

struct Start {
  char* const* arguments;
  char* const* environment;
  const char* directory;
  int input;
  int output;
  int errors;
  int report;
  pid_t parent;
};

/// In the child: async-signal-safe calls only. Returns only if the program cannot be started.
void become(const Start& start) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != start.parent) {
    return;
  }
  for (int number = 1; number < NSIG; ++number) {
    ::signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(start.input, STDIN_FILENO) >= 0 && ::dup2(start.output, STDOUT_FILENO) >= 0 &&
      ::dup2(start.errors, STDERR_FILENO) >= 0 &&
      ::syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, kCloseRangeCloexec) == 0 &&
      (start.directory[0] == '\0' || ::chdir(start.directory) == 0)) {
    ::execvpe(start.arguments[0], start.arguments, start.environment);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t sent = ::write(start.report, &error, sizeof error);
}

/// A started program. Killed and reaped at the latest when this object ends.
class Child {
 public:
  explicit Child(const ChildCommand& command) : command_(command) {
    std::vector<std::string> arguments = command.arguments;
    std::vector<std::string> environment = environment_with(command.environment);
    const std::vector<char*> argv = pointers(arguments);
    const std::vector<char*> envp = pointers(environment);
    const UniqueFd input = file_with(command.input);
    Pipe output = make_pipe();
    Pipe errors = make_pipe();
    Pipe report = make_pipe();
    const Start start{.arguments = argv.data(),
                      .environment = envp.data(),
                      .directory = command.directory.c_str(),
                      .input = input.get(),
                      .output = output.write.get(),
                      .errors = errors.write.get(),
                      .report = report.write.get(),
                      .parent = ::getpid()};
    pid_ = ::fork();
    if (pid_ == 0) {
      become(start);
      ::_exit(127);
    }
    if (pid_ < 0) {
      throw_errno("cannot start " + arguments.front());
    }
    output_ = std::move(output.read);
    errors_ = std::move(errors.read);
    report.write.reset();
    check_start(report.read);
    watch();
  }
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  ChildResult run() {
    ChildResult result;
    const std::int64_t deadline = now_ns() + std::chrono::nanoseconds(command_.deadline).count();
    while (true) {
      std::array<pollfd, 3> ends{pollfd{output_.get(), POLLIN, 0}, pollfd{errors_.get(), POLLIN, 0},
                                 pollfd{pidfd_.get(), POLLIN, 0}};
      const std::int64_t left_ms = (deadline - now_ns()) / 1'000'000;
      if (left_ms <= 0) {
        result.end = ChildResult::End::timed_out;
        break;
      }
      ::poll(ends.data(), ends.size(), static_cast<int>(pidfd_ ? std::min<std::int64_t>(left_ms, 1000) : 0));
      // Read only what is in the pipes when it has ended: a program that it left behind may hold them open.
      const bool ended = !pidfd_ || ends[2].revents != 0;
      drain(output_, result.output, command_.output_limit + 1);
      drain(errors_, result.errors, command_.errors_limit);
      if (result.output.size() > command_.output_limit) {
        result.end = ChildResult::End::wrote_too_much;
        break;
      }
      if (ended) {
        break;
      }
    }
    const std::optional<int> status = end();
    if (result.end == ChildResult::End::exited) {
      result.end = !status                ? ChildResult::End::unseen
                   : WIFSIGNALED(*status) ? ChildResult::End::killed
                                          : ChildResult::End::exited;
      result.code = !status ? 0 : WIFSIGNALED(*status) ? WTERMSIG(*status) : WEXITSTATUS(*status);
    }
    return result;
  }

 private:
  void check_start(UniqueFd& report) {
    pollfd closed{report.get(), POLLIN, 0};
    while (::poll(&closed, 1, -1) < 0 && errno == EINTR) {
    }
    int error = 0;
    if (::read(report.get(), &error, sizeof error) == static_cast<ssize_t>(sizeof error)) {
      end();
      errno = error;
      throw_errno("cannot run " + command_.arguments.front());
    }
  }

  void watch() {
    try {
      pidfd_ = open_pidfd(pid_);
    } catch (const std::system_error& error) {
      if (error.code().value() != ESRCH) {
        end();
        throw;
      }
      pid_ = -1;  // it was reaped elsewhere: the number may belong to another process by now
    } catch (...) {
      end();
      throw;
    }
  }

  /// Reads what is there; beyond `limit` it is dropped.
  static void drain(UniqueFd& from, std::string& into, std::size_t limit) {
    std::array<char, 65536> chunk{};
    while (from) {
      const ssize_t got = ::read(from.get(), chunk.data(), chunk.size());
      if (got > 0) {
        into.append(chunk.data(), std::min(static_cast<std::size_t>(got), limit - into.size()));
        if (into.size() == limit) {
          return;
        }
      } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        from.reset();
      } else if (errno == EAGAIN) {
        return;
      }
    }
  }

  /// Kills it, if it has not ended, and reaps it. nullopt: it was reaped elsewhere.
  std::optional<int> end() {
    if (pid_ <= 0) {
      return std::nullopt;
    }
    int status = 0;
    pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
    if (reaped == 0) {
      ::kill(pid_, SIGKILL);
      while ((reaped = ::waitpid(pid_, &status, 0)) < 0 && errno == EINTR) {
      }
    }
    const bool seen = reaped == std::exchange(pid_, -1);
    return seen ? std::optional(status) : std::nullopt;
  }

  const ChildCommand& command_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd output_;
  UniqueFd errors_;
};

}  // namespace

ChildResult run_child(const ChildCommand& command) {
  return Child(command).run();
}

std::string describe_end(const ChildResult& result) {
  switch (result.end) {
    case ChildResult::End::exited:
      return "ended with exit code " + std::to_string(result.code);
    case ChildResult::End::killed:
      return "was killed by signal " + std::to_string(result.code) + " (" + ::strsignal(result.code) + ")";
    case ChildResult::End::timed_out:
      return "took too long and was killed";
    case ChildResult::End::wrote_too_much:
      return "wrote too much and was killed";
    case ChildResult::End::unseen:
      return "ended in an unknown way, since this program ignores SIGCHLD or reaps its children elsewhere";
  }
  return "ended";
}

}  // namespace pystream::base
