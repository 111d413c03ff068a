#include "base/fd_places.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace pystream::base {
namespace {

bool close_from(int first) noexcept {
  return ::close_range(static_cast<unsigned>(first), ~0U, 0) == 0;
}

/// Leaves 0, 1, 2 and what is to be placed: where descriptors are few, their copies need the room.
bool close_others(std::span<const FdPlace> places) noexcept {
  int from = STDERR_FILENO + 1;
  while (true) {
    int next = -1;
    for (const FdPlace& place : places) {
      if (place.fd >= from && (next < 0 || place.fd < next)) {
        next = place.fd;
      }
    }
    if (next < 0) {
      return close_from(from);
    }
    if (next > from && ::close_range(static_cast<unsigned>(from), static_cast<unsigned>(next - 1), 0) != 0) {
      return false;
    }
    from = next + 1;
  }
}

}  // namespace

bool place_fds(std::span<FdPlace> places) noexcept {
  int behind = STDERR_FILENO + 1;
  for (const FdPlace& place : places) {
    behind = std::max(behind, place.number + 1);
  }
  if (!close_others(places)) {
    return false;
  }
  // Out of the way first: one may stand where another belongs.
  for (FdPlace& place : places) {
    place.fd = ::fcntl(place.fd, F_DUPFD_CLOEXEC, behind);
    if (place.fd < 0) {
      return false;
    }
  }
  for (const FdPlace& place : places) {
    if (::dup2(place.fd, place.number) < 0) {
      return false;
    }
  }
  return close_from(behind);
}

}  // namespace pystream::base
