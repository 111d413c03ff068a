#pragma once

#include <string>

#include "opencv/libav.hpp"

namespace pystream::opencv {

/// How the file of a film ends before its own structure does, for people: "the tag at byte 35 ends at byte 99, the file
/// at byte 80". Empty if it is complete, or if this kind of file does not tell (see sources_and_sinks.md). FFmpeg's
/// demuxers take most of these ends for the end of the film. Moves the position of `film`'s file.
std::string early_end(AVFormatContext& film);

}  // namespace pystream::opencv
