#include "coord/oom_watch.hpp"

#include <fstream>
#include <utility>

namespace pystream::coord {
namespace {

namespace fs = std::filesystem;

/// Of a file with lines "name number".
std::optional<std::uint64_t> number_in(const fs::path& path, std::string_view name) {
  std::ifstream file(path);
  std::string word;
  for (std::uint64_t number = 0; file >> word >> number;) {
    if (word == name) {
      return number;
    }
  }
  return std::nullopt;
}

/// The folder that stands for this process's group in a line of /proc/self/cgroup, "N:controllers:/path".
std::optional<fs::path> folder_of(std::string_view line, std::string_view controllers) {
  const std::size_t first = line.find(':');
  const std::size_t second = line.find(':', first + 1);
  if (second == std::string_view::npos || line.substr(first + 1, second - first - 1) != controllers) {
    return std::nullopt;
  }
  return fs::path(line.substr(second + 1)).relative_path();
}

/// Control groups of version 2, or the memory controller of version 1. In a container the path may be seen from
/// outside; then its own group is at the top.
std::optional<std::uint64_t> group_count(const fs::path& root) {
  const fs::path groups = root / "sys/fs/cgroup";
  std::ifstream list(root / "proc/self/cgroup");
  for (std::string line; std::getline(list, line);) {
    if (const auto folder = folder_of(line, "")) {
      for (const fs::path& group : {groups / *folder, groups}) {
        if (const auto count = number_in(group / "memory.events", "oom_kill")) {
          return count;
        }
      }
    }
    if (const auto folder = folder_of(line, "memory")) {
      for (const fs::path& group : {groups / "memory" / *folder, groups / "memory"}) {
        if (const auto count = number_in(group / "memory.oom_control", "oom_kill")) {
          return count;
        }
      }
    }
  }
  return std::nullopt;
}

bool rose(const std::optional<std::uint64_t>& before, const std::optional<std::uint64_t>& now) {
  return before && now && *now > *before;
}

}  // namespace

OomCounts read_oom_counts(const fs::path& root) {
  return {.group = group_count(root), .system = number_in(root / "proc/vmstat", "oom_kill")};
}

std::string oom_text(const OomCounts& before, const OomCounts& now) {
  if (rose(before.group, now.group)) {
    return "probably by the kernel's out-of-memory killer, which has killed a process of this control group meanwhile";
  }
  if (before.group && now.group) {
    return {};
  }
  if (rose(before.system, now.system)) {
    return "probably by the kernel's out-of-memory killer, which has killed a process on this machine meanwhile";
  }
  return before.system && now.system ? ""
                                     : "perhaps by the kernel's out-of-memory killer; its counts cannot be read here";
}

std::string OomWatch::explain_kill() {
  const OomCounts before = std::exchange(counts_, read_oom_counts(root_));
  return oom_text(before, counts_);
}

}  // namespace pystream::coord
