#pragma once

#include <cstdint>

/// Where the stages for films stand.
namespace pystream::opencv {

struct VideoReadCursor {
  std::uint64_t next = 0;   ///< index of the next frame
  std::uint64_t ended = 0;  ///< 1: at the end, and what was damaged is told
};

struct VideoWriteCursor {
  std::uint64_t part = 0;       ///< 0: the file itself; n: the file with the number n + 1 in its name
  std::uint64_t frames = 0;     ///< committed to this part
  std::uint64_t free_part = 0;  ///< from here on no part was there when the run began
};

}  // namespace pystream::opencv
