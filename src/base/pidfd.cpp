#include "base/pidfd.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <pystream/error.hpp>

#include "base/system_error.hpp"

namespace pystream::base {
namespace {

std::chrono::nanoseconds duration_of(const timeval& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

}  // namespace

// The system calls by number: glibc 2.36's <sys/pidfd.h> lacks C linkage for C++.
UniqueFd open_pidfd(pid_t pid) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd && (errno == ENOSYS || errno == EPERM)) {  // EPERM is what sandboxes say; the kernel has no such error here
    throw Error(std::string("the system call pidfd_open is missing (") + std::strerror(errno) +
                "): pystream needs Linux 5.14 or newer, and does not run where something hides this call, such as "
                "valgrind or the seccomp filter of an old container runtime");
  }
  if (!fd) {
    throw_errno("cannot watch process " + std::to_string(pid));
  }
  return fd;
}

bool send_signal(const UniqueFd& pidfd, int signal) {
  return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

std::optional<ExitStatus> try_reap(const UniqueFd& pidfd) {
  siginfo_t info{};
  rusage usage{};
  // The system call, because waitid() of the C library does not give the usage.
  while (::syscall(SYS_waitid, P_PIDFD, pidfd.get(), &info, WEXITED | WNOHANG, &usage) != 0) {
    if (errno == ECHILD) {
      return ExitStatus{.code = -1};
    }
    if (errno != EINTR) {
      throw_errno("cannot reap a worker");
    }
  }
  if (info.si_pid == 0) {
    return std::nullopt;
  }
  const bool exited = info.si_code == CLD_EXITED;
  return ExitStatus{.code = exited ? info.si_status : 0,
                    .signal = exited ? 0 : info.si_status,
                    .core_dumped = info.si_code == CLD_DUMPED,
                    .user_time = duration_of(usage.ru_utime),
                    .system_time = duration_of(usage.ru_stime),
                    .max_rss = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024};
}

std::string signal_name(int signal) {
  const char* abbreviation = ::sigabbrev_np(signal);
  const char* description = ::sigdescr_np(signal);
  if (abbreviation == nullptr || description == nullptr) {
    return "signal " + std::to_string(signal);
  }
  return "SIG" + std::string(abbreviation) + " (" + description + ")";
}

}  // namespace pystream::base
