#include "core/child_program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "core/clock.hpp"
#include "core/program_keeper.hpp"

namespace pystream::core {
namespace {

/// How long the end of a program's processes may take after SIGKILL.
constexpr std::chrono::nanoseconds kLongestKill = std::chrono::seconds(5);

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

/// Both ends are alike: `read` is the worker's, `write` the keeper's.
Pipe make_control() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw_errno("exec: cannot make a socket pair", errno);
  }
  Pipe pair{.read = above_standard(ends[0]), .write = above_standard(ends[1])};
  if (!pair.read.valid() || !pair.write.valid()) {
    throw_errno("exec: cannot make a socket pair", errno);
  }
  return pair;
}

void set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
    throw_errno("exec: cannot make a pipe non-blocking", errno);
  }
}

/// What came through the report pipe; nothing if the program runs.
std::optional<StartFault> read_fault(int report) {
  StartFault fault{};
  ssize_t got = 0;
  do {
    got = ::read(report, &fault, sizeof fault);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    return StartFault{StartFault::process, errno};
  }
  return got == static_cast<ssize_t>(sizeof fault) ? std::optional(fault) : std::nullopt;
}

[[noreturn]] void throw_start_fault(const ChildProgram::Command& command, const StartFault& fault) {
  switch (fault.step) {
    case StartFault::directory:
      throw_errno("exec: cannot run in the directory " + command.directory, fault.error,
                  "\"cwd\" must be a directory that exists");
    case StartFault::program:
      throw_errno("exec: cannot run \"" + command.arguments.front() + "\"", fault.error,
                  "\"command\" must start with a program in PATH or with the path of one");
    case StartFault::descriptors:
      throw_errno("exec: cannot set up the descriptors of \"" + command.arguments.front() + "\"", fault.error);
    case StartFault::process:
      break;
  }
  throw_errno("exec: cannot start a process for \"" + command.arguments.front() + "\"", fault.error);
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

}  // namespace

ChildProgram::ChildProgram(const Command& command) {
  std::vector<std::string> arguments = command.arguments;
  std::vector<std::string> environment = merged_environment(command.environment);
  const std::vector<char*> argv = pointers(arguments);
  const std::vector<char*> envp = pointers(environment);
  Pipe to_child = make_pipe();
  Pipe from_child = make_pipe();
  Pipe report = make_pipe();
  Pipe control = make_control();

  const ProgramStart start{.arguments = argv.data(),
                           .environment = envp.data(),
                           .directory = command.directory.c_str(),
                           .input = to_child.read.get(),
                           .output = from_child.write.get(),
                           .report = report.write.get(),
                           .control = control.write.get(),
                           .parent = ::getpid()};
  keeper_ = ::fork();
  if (keeper_ < 0) {
    throw_errno("exec: cannot start a process for \"" + arguments.front() + "\"", errno);
  }
  if (keeper_ == 0) {
    keep_program(start);
  }
  control_ = std::move(control.read);
  input_ = std::move(to_child.write);
  output_ = std::move(from_child.read);
  report.write.reset();
  if (const std::optional<StartFault> fault = read_fault(report.read.get())) {
    kill();
    throw_start_fault(command, *fault);
  }
  try {
    set_nonblocking(input_.get());
    set_nonblocking(output_.get());
  } catch (...) {
    kill();
    throw;
  }
}

ChildProgram::~ChildProgram() {
  kill();
}

std::size_t ChildProgram::unread_input() const {
  int bytes = 0;
  return input_open() && ::ioctl(input_.get(), FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes)
                                                                                   : 0;
}

std::optional<int> ChildProgram::wait(std::chrono::milliseconds patience) {
  const std::int64_t deadline = now_ns() + std::chrono::nanoseconds(patience).count();
  while (!status_) {
    int status = 0;
    const ssize_t got = ::recv(control_.get(), &status, sizeof status, MSG_DONTWAIT);
    if (got == static_cast<ssize_t>(sizeof status)) {
      status_ = status;
    } else if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
      status_ = SIGKILL;  // the keeper was killed, and the program with it
    } else if (const std::int64_t left = deadline - now_ns(); left > 0) {
      pollfd told{.fd = control_.get(), .events = POLLIN, .revents = 0};
      ::poll(&told, 1, static_cast<int>(std::min<std::int64_t>(left / 1'000'000 + 1, 1000)));
    } else {
      return std::nullopt;
    }
  }
  return status_;
}

void ChildProgram::kill() {
  input_.reset();
  output_.reset();
  if (keeper_ < 0) {
    return;
  }
  ::shutdown(control_.get(), SHUT_WR);  // also where a process forked by somebody else holds a copy of it
  const std::int64_t deadline = now_ns() + kLongestKill.count();
  while (true) {
    int status = 0;
    const pid_t ended = ::waitpid(keeper_, &status, WNOHANG);
    if (ended == keeper_ || (ended < 0 && errno != EINTR)) {
      break;
    }
    if (now_ns() > deadline) {  // something hangs in the kernel; the keeper goes on when it returns
      break;
    }
    sleep_until(now_ns() + kNsPerSecond / 5000);
  }
  wait(std::chrono::milliseconds(0));
  keeper_ = -1;
  control_.reset();
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) {
    return "signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
  }
  return "exit code " + std::to_string(WEXITSTATUS(status));
}

}  // namespace pystream::core
