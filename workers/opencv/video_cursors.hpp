#pragma once

#include <cstdint>

/// Where the stages for films stand.
namespace pystream::opencv {

struct VideoReadCursor {
  std::uint64_t next = 0;   ///< index of the next frame
  std::uint64_t ended = 0;  ///< 1: at the end, and what was damaged is told
};

struct VideoWriteCursor {
  std::uint64_t part = 0;
  std::uint64_t frames = 0;  ///< committed to this part
};

}  // namespace pystream::opencv
