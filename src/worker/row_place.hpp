#pragma once

#include <cstdint>

namespace pystream::worker {

/// The place of a segment in its worker's row.
struct RowPlace {
  bool first = true;
  bool last = true;

  bool alone() const { return first && last; }
  /// How many rows the last output of an input closes, if its input closed `closes`: what enters a row closes one more
  /// row, and what leaves it one less. See RecordHeader.
  std::uint8_t closes_after(std::uint8_t closes) const {
    if (alone()) {
      return closes;
    }
    if (first) {
      return static_cast<std::uint8_t>(closes + 1);
    }
    return static_cast<std::uint8_t>(last && closes > 0 ? closes - 1 : closes);
  }
};

}  // namespace pystream::worker
