#pragma once

#include <fcntl.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "shm/segment.hpp"

namespace pystream::test {

/// A running pipeline's shared memory, by way of its coordinator's descriptor.
inline shm::Segment segment_of(pid_t coordinator) {
  const std::string folder = "/proc/" + std::to_string(coordinator) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::error_code error;
    if (std::filesystem::read_symlink(entry, error).string().starts_with("/memfd:pystream")) {
      return shm::Segment::attach(base::UniqueFd(::open(entry.path().c_str(), O_RDWR | O_CLOEXEC)));
    }
  }
  throw std::runtime_error("the coordinator has no segment");
}

}  // namespace pystream::test
