#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace pystream::coord {

/// Something for the log of a run.
struct LogLine {
  std::string text;
  std::string worker{};                 ///< whose standard error it stood on; empty: the coordinator's own word
  std::string stage{};                  ///< profile key of the stage that it is about; empty: not of one
  std::optional<std::uint64_t> item{};  ///< sequence number of the item that it is about
};

}  // namespace pystream::coord
