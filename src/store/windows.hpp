#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "store/database.hpp"

namespace pystream::store {

/// One key in one window, as the table `windows` has it.
struct WindowFigures {
  std::uint64_t window = 0;
  double begin_s = 0;  ///< since the start of the run
  double span_s = 0;
  std::uint64_t items = 0;
  std::uint64_t errors = 0;
  double samples = 0;  ///< items timed singly
  double timed = 0, timed_ns = 0, total_ns = 0;
  double min_ns = 0, max_ns = 0;
  double waiting_ns = 0, working_ns = 0, blocked_ns = 0;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> histogram;  ///< bucket, items
};

/// The windows of each key of a run.
struct KeyWindows {
  std::string key;
  std::string role;
  std::vector<WindowFigures> windows;
};

/// The pairs that the column `histogram` of the table `windows` holds.
std::vector<std::pair<std::uint32_t, std::uint32_t>> histogram_pairs(const std::string& blob);

/// One recorded item's way through a pipeline inside another.
struct Passage {
  std::uint64_t sequence = 0;
  std::int64_t end_ns = 0;  ///< since the start of the run
  std::uint64_t ns = 0;
  std::uint64_t window = 0;  ///< that counts it
  /// So many items of its window: itself, and those behind it up to the next that is recorded. More are recorded in the
  /// first moments of a run and when there are few, and those must not weigh more. 1 where every item is recorded.
  double stands_for = 1;
};
/// Those of the pipeline with this stages.id, by sequence number.
std::vector<Passage> read_passages(Database& database, std::int64_t stage);

/// Of pipelines inside others, the histograms are of the recorded items only, each with those that it stands for.
std::vector<KeyWindows> read_windows(Database& database, std::int64_t run);

}  // namespace pystream::store
