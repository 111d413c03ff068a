#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/unique_fd.hpp"

namespace pystream::base {

/// A descriptor that becomes readable when the process ends. REQUIRES: a child that was not reaped yet.
UniqueFd open_pidfd(pid_t pid);
/// Sends a signal; false if the process has ended.
bool send_signal(const UniqueFd& pidfd, int signal);

/// How a child ended.
struct ExitStatus {
  int code = 0;  ///< exit code, if signal is 0
  int signal = 0;
  bool core_dumped = false;
  std::chrono::nanoseconds user_time{};
  std::chrono::nanoseconds system_time{};
  std::uint64_t max_rss = 0;  ///< bytes
};
/// Reaps an ended child; nullopt while it still runs. A child that was reaped elsewhere counts as ended with
/// code -1 (the user's program may call wait() itself).
std::optional<ExitStatus> try_reap(const UniqueFd& pidfd);

/// "SIGSEGV (Segmentation fault)".
std::string signal_name(int signal);

}  // namespace pystream::base
