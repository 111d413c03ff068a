#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "profile/summary.hpp"

namespace pystream::cli {

/// How a run is going, in a line.
class Progress {
 public:
  /// Items that left the pipeline so far, their rate since the last call, the bottleneck, restarts.
  std::string text(std::span<const profile::KeySummary> stages, std::uint32_t restarts);

 private:
  std::uint64_t last_items_ = 0;
  std::chrono::steady_clock::time_point last_time_ = std::chrono::steady_clock::now();
};

/// One line on a terminal that is rewritten in place; other output calls clear() first.
class ProgressLine {
 public:
  explicit ProgressLine(bool enabled) : enabled_(enabled) {}
  ~ProgressLine() { clear(); }

  void show(const std::string& text);
  void clear();

 private:
  bool enabled_;
  bool visible_ = false;
};

}  // namespace pystream::cli
