#include "core/child_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "core/clock.hpp"

namespace pystream::core {
namespace {

constexpr unsigned kCloseRangeCloexec = 1U << 2;

struct Pipe {
  Descriptor read;
  Descriptor write;
};

/// A descriptor that dup2() to 0 or 1 in the child cannot hit.
Descriptor above_standard(int fd) {
  Descriptor low(fd);
  if (fd > STDERR_FILENO) {
    return low;
  }
  return Descriptor(::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw_errno("exec: cannot make a pipe", errno);
  }
  Pipe pipe{.read = above_standard(ends[0]), .write = above_standard(ends[1])};
  if (!pipe.read.valid() || !pipe.write.valid()) {
    throw_errno("exec: cannot make a pipe", errno);
  }
  return pipe;
}

void set_nonblocking(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) {
    out.push_back(text.data());
  }
  out.push_back(nullptr);
  return out;
}

std::vector<std::string> merged_environment(const std::vector<std::string>& extra) {
  std::vector<std::string> merged = extra;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view name = std::string_view(*entry).substr(0, std::string_view(*entry).find('='));
    const auto overrides = [&](const std::string& other) {
      return other.compare(0, name.size() + 1, std::string(name) + "=") == 0;
    };
    bool overridden = false;
    for (const std::string& other : extra) {
      overridden = overridden || overrides(other);
    }
    if (!overridden) {
      merged.emplace_back(*entry);
    }
  }
  return merged;
}

/// What failed between fork and exec, as sent through the report pipe.
struct StartFault {
  enum Step : int { directory, program };
  Step step;
  int error;
};

/// In the child of a process that may have threads: async-signal-safe calls only, and no return.
[[noreturn]] void become(char* const* arguments, char* const* environment, const char* directory, int input, int output,
                         int report, pid_t parent) {
  const auto give_up = [report](StartFault::Step step) {
    const StartFault fault{step, errno};
    [[maybe_unused]] const ssize_t sent = ::write(report, &fault, sizeof fault);
    ::_exit(127);
  };
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {
    ::_exit(127);
  }
  for (int number = 1; number < NSIG; ++number) {
    ::signal(number, SIG_DFL);
  }
  ::signal(SIGINT, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, kCloseRangeCloexec);
  if (directory[0] != '\0' && ::chdir(directory) != 0) {
    give_up(StartFault::directory);
  }
  ::execvpe(arguments[0], arguments, environment);
  give_up(StartFault::program);
  ::_exit(127);
}

}  // namespace

ChildProgram::ChildProgram(const Command& command) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = merged_environment(command.environment);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  Pipe to_child = make_pipe();
  Pipe from_child = make_pipe();
  Pipe report = make_pipe();

  const pid_t self = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) {
    throw_errno("exec: cannot start a process for \"" + arguments.front() + "\"", errno);
  }
  if (pid_ == 0) {
    become(argv.data(), envp.data(), command.directory.c_str(), to_child.read.get(), from_child.write.get(),
           report.write.get(), self);
  }
  input_ = std::move(to_child.write);
  output_ = std::move(from_child.read);
  set_nonblocking(input_.get());
  set_nonblocking(output_.get());

  report.write.reset();
  StartFault fault{};
  ssize_t got = 0;
  do {
    got = ::read(report.read.get(), &fault, sizeof fault);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof fault)) {
    kill();
    if (fault.step == StartFault::directory) {
      throw_errno("exec: cannot run in the directory " + command.directory, fault.error,
                  "\"cwd\" must be a directory that exists");
    }
    throw_errno("exec: cannot run \"" + arguments.front() + "\"", fault.error,
                "\"command\" must start with a program in PATH or with the path of one");
  }
}

ChildProgram::~ChildProgram() {
  kill();
}

std::optional<int> ChildProgram::wait(std::chrono::milliseconds patience) {
  const std::int64_t deadline = now_ns() + std::chrono::nanoseconds(patience).count();
  while (!status_) {
    int status = 0;
    const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended == pid_) {
      status_ = status;
    } else if (ended < 0 && errno == ECHILD) {
      status_ = 0;  // somebody else has reaped it: how it ended is not known
    } else if (now_ns() >= deadline) {
      return std::nullopt;
    } else {
      sleep_until(now_ns() + kNsPerSecond / 1000);
    }
  }
  return status_;
}

void ChildProgram::kill() {
  input_.reset();
  output_.reset();
  if (!status_ && !wait(std::chrono::milliseconds(0))) {
    ::kill(pid_, SIGKILL);
    int status = 0;
    pid_t ended = 0;
    do {
      ended = ::waitpid(pid_, &status, 0);
    } while (ended < 0 && errno == EINTR);
    status_ = ended == pid_ ? status : 0;
  }
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) {
    return "signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  }
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace pystream::core
