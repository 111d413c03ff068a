#include "base/memory.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace pystream::base {
namespace {

std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  return file >> number ? std::optional(number) : std::nullopt;  // "max" is no number: no limit
}

std::optional<std::uint64_t> memory_available() {
  std::ifstream file("/proc/meminfo");
  for (std::string word; file >> word;) {
    if (word == "MemAvailable:") {
      std::uint64_t kib = 0;
      return file >> kib ? std::optional(kib * 1024) : std::nullopt;
    }
  }
  return std::nullopt;
}

/// What the cgroup (version 2) of this process and the groups above it still allow.
std::uint64_t cgroup_left() {
  std::uint64_t left = std::numeric_limits<std::uint64_t>::max();
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("0::")) {
      continue;
    }
    for (std::string group = line.substr(3); !group.empty(); group.erase(group.find_last_of('/'))) {
      const auto limit = number_in("/sys/fs/cgroup" + group + "/memory.max");
      const auto used = number_in("/sys/fs/cgroup" + group + "/memory.current");
      if (limit && used) {
        left = std::min(left, *limit > *used ? *limit - *used : 0);
      }
    }
  }
  return left;
}

}  // namespace

std::uint64_t available_memory() {
  return std::min(memory_available().value_or(std::numeric_limits<std::uint64_t>::max()), cgroup_left());
}

}  // namespace pystream::base
