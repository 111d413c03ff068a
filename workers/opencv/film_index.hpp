#pragma once

#include <cstdint>

#include "opencv/libav.hpp"

namespace pystream::opencv {

/// What was read of a film's video stream.
struct ReadPackets {
  std::int64_t all = 0;
  std::int64_t with_content = 0;  ///< the others say that the last frame is shown once more
  int entries_at_opening = 0;     ///< of the demuxer's index
  bool damaged = false;           ///< something of the film could not be read
};

/// How many frames the index of a film or its head announces that were not read.
std::uint64_t missing_frames(AVFormatContext& film, int stream, const ReadPackets& read);

}  // namespace pystream::opencv
