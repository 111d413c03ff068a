#pragma once

#include <map>
#include <string>
#include <vector>

#include "coord/crash_report.hpp"

namespace pystream::coord {

/// Names for places on a stack, from the files on disk by addr2line if that is installed.
class Symbols {
 public:
  /// For each frame "function at file:line", as much as is known. A program is run for each module with new places.
  std::vector<std::string> names_of(const std::vector<CrashFrame>& frames);

 private:
  std::map<std::pair<std::string, std::uint64_t>, std::string> known_;
};

}  // namespace pystream::coord
