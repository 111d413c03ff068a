#pragma once

#include <string>

#include "opencv/libav.hpp"

namespace pystream::opencv {

struct StructureFault {
  std::string text{};      ///< for people; empty: there is none
  bool ends_early = true;  ///< false: something else than a part of the file stands between two parts
  explicit operator bool() const { return !text.empty(); }
};

/// What is wrong with the parts that the file of a film consists of (boxes, tags, pages, packets): "the tag at byte 35
/// ends at byte 99, the file at byte 80". No fault if it is complete, or if this kind of file does not tell (see
/// sources_and_sinks.md). FFmpeg's demuxers take most early ends for the end of the film, and pass by much of what they
/// do not understand. Moves the position of `film`'s file.
StructureFault structure_fault(AVFormatContext& film);

}  // namespace pystream::opencv
