#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace pystream::base {

/// Throws what errno says about a failed system call: "cannot create the segment: No space left on device".
[[noreturn]] inline void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace pystream::base
