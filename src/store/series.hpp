#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/database.hpp"

/// The course of a run for charts, of long runs as well: from `minutes` and `link_minutes` where a point covers
/// minutes, from `windows` and `link_windows` where it covers less, or the run is older than those tables.
namespace pystream::store {

/// One key in one step of time.
struct SeriesPoint {
  double begin_s = 0;  ///< since the start of the run
  double span_s = 0;   ///< that is recorded of it
  std::uint64_t items = 0;
  std::uint64_t errors = 0;
  double busy_s = 0;  ///< on all items; of a pipeline from entrance to exit
  double max_s = 0;
  double waiting_s = 0, working_s = 0, blocked_s = 0;
};
struct KeySeries {
  std::string key;
  std::string role;
  std::vector<SeriesPoint> points;
};

/// One link in one step of time.
struct LinkPoint {
  double begin_s = 0;
  std::uint64_t items = 0;  ///< that came out
  std::uint64_t dropped = 0;
  double inside = 0;  ///< mean number of items in it
  double fill = 0;    ///< mean, 0 to 1
  double oldest_s = 0;
};
struct LinkSeries {
  std::string name;
  std::vector<LinkPoint> points;
};

struct Series {
  double from_s = 0;
  double to_s = 0;    ///< end of what is recorded, or of what was asked for
  double step_s = 0;  ///< a whole number of windows
  std::vector<KeySeries> keys;
  std::vector<LinkSeries> links;
};

/// Of the time from `from_s` to `to_s` (0: to its end), in at most about `most_points` steps.
Series read_series(Database& database, std::int64_t run, double from_s, double to_s, std::size_t most_points);

/// Puts the windows of the minutes [first, behind) of a run together in `minutes` and `link_minutes`. It may be done
/// again. REQUIRES: within a transaction.
void roll_up(Database& database, std::int64_t run, std::int64_t first, std::int64_t behind);
/// The first minute that roll_up() has not put together.
std::int64_t rolled_up_until(Database& database, std::int64_t run);

inline constexpr std::int64_t kWindowsInMinute = 60;

}  // namespace pystream::store
