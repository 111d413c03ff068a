#pragma once

#include <cstdint>

/// Where the stages for films stand.
namespace pystream::opencv {

struct VideoReadCursor {
  std::uint64_t next = 0;  ///< index of the next frame
};

struct VideoWriteCursor {
  std::uint32_t part = 0;
  std::uint32_t used = 0;  ///< 1: frames were committed to this part
};

}  // namespace pystream::opencv
