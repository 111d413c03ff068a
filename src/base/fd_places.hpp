#pragma once

#include <span>

namespace pystream::base {

/// A descriptor and the number that the program to come expects it at.
struct FdPlace {
  int fd = -1;
  int number = -1;
};

/// In a child between fork and exec: gives each descriptor its number; of the others only 0, 1 and 2 stay.
/// Async-signal-safe. False if the system refuses, and errno says why: then nothing stands where it should, and the
/// program must not be run, for it would take one file for another.
[[nodiscard]] bool place_fds(std::span<FdPlace> places) noexcept;

}  // namespace pystream::base
