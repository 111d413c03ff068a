#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace pystream::coord {

/// How many processes the kernel's out-of-memory killer has ended; nullopt: not known here.
struct OomCounts {
  std::optional<std::uint64_t> group;   ///< in this process's control group and those below it
  std::optional<std::uint64_t> system;  ///< on the whole machine
};

/// Asks the kernel. `root`: where /proc and /sys are, for tests.
OomCounts read_oom_counts(const std::filesystem::path& root = "/");

/// What the counts say of a SIGKILL in between that this process did not send; empty: that it was no OOM kill.
std::string oom_text(const OomCounts& before, const OomCounts& now);

/// Remembers the counts from one death to the next.
class OomWatch {
 public:
  explicit OomWatch(std::filesystem::path root = "/") : root_(std::move(root)), counts_(read_oom_counts(root_)) {}
  /// As oom_text(), of what has happened since the last call.
  std::string explain_kill();

 private:
  std::filesystem::path root_;
  OomCounts counts_;
};

}  // namespace pystream::coord
