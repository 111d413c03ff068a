#include "store/series.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "shm/profile_abi.hpp"

namespace pystream::store {
namespace {

constexpr double kNs = 1e-9;

/// Which windows, and how many in a step.
struct Range {
  std::int64_t first = 0;
  std::int64_t behind = 0;
  std::int64_t step = 1;
};

std::optional<std::int64_t> last_window(Database& database, std::int64_t run) {
  Statement statement(database,
                      "SELECT max((SELECT window FROM windows WHERE stage = stages.id ORDER BY window DESC LIMIT 1)) "
                      "FROM stages WHERE run = ?");
  statement.bind(1, run);
  return statement.step() && !statement.is_null(0) ? std::optional(statement.integer(0)) : std::nullopt;
}

std::int64_t windows_in(double seconds) {
  constexpr double kMost = 1e12;
  return static_cast<std::int64_t>(std::clamp(seconds, 0.0, kMost) * 1e9 / static_cast<double>(shm::kWindowNs));
}

Range range_of(std::int64_t last, double from_s, double to_s, std::size_t most_points) {
  Range range{.first = std::min(windows_in(from_s), last), .behind = last + 1};
  if (to_s > from_s) {
    range.behind = std::clamp(windows_in(std::ceil(to_s)), range.first + 1, last + 1);
  }
  const auto points = static_cast<std::int64_t>(std::clamp<std::size_t>(most_points, 1, 5000));
  range.step = std::max<std::int64_t>((range.behind - range.first + points - 1) / points, 1);
  if (range.step >= kWindowsInMinute) {
    range.step = (range.step + kWindowsInMinute - 1) / kWindowsInMinute * kWindowsInMinute;
  }
  range.first -= range.first % range.step;
  return range;
}

class SeriesReader {
 public:
  SeriesReader(Database& database, std::int64_t run, const Range& range)
      : database_(database), run_(run), range_(range) {}

  Series read() {
    Series series{.from_s = seconds(range_.first), .to_s = seconds(range_.behind), .step_s = seconds(range_.step)};
    // A whole number of minutes goes by the tables of minutes, but for what they do not have yet.
    const bool coarse = range_.step % kWindowsInMinute == 0;
    const std::int64_t rolled = coarse ? rolled_up_until(database_, run_) * kWindowsInMinute : 0;
    const std::int64_t end = std::clamp(rolled, range_.first, range_.behind);
    const std::int64_t from = coarse ? end - end % kWindowsInMinute : range_.first;
    if (from > range_.first) {
      read_keys(series, "minutes", "minute * 60", range_.first / kWindowsInMinute, from / kWindowsInMinute);
      read_links(series, "link_minutes", "minute * 60", range_.first / kWindowsInMinute, from / kWindowsInMinute);
    }
    read_keys(series, "windows", "window", from, range_.behind);
    read_links(series, "link_windows", "window", from, range_.behind);
    return series;
  }

 private:
  static double seconds(std::int64_t windows) {
    return static_cast<double>(windows) * static_cast<double>(shm::kWindowNs) * kNs;
  }
  /// Columns of both tables, by step.
  std::string grouped(const std::string& of, const std::string& window, const std::string& columns) const {
    return "SELECT " + window + " / " + std::to_string(range_.step) + " AS step, " + columns + " FROM " + of;
  }

  void read_keys(Series& series, const std::string& table, const std::string& window, std::int64_t first,
                 std::int64_t behind) {
    const std::string column = table == "minutes" ? "minute" : "window";
    Statement stages(database_, "SELECT id, key, role FROM stages WHERE run = ? ORDER BY position");
    stages.bind(1, run_);
    Statement points(database_, grouped(table, window,
                                        "sum(span_ns), sum(items), sum(errors), sum(total_ns), max(max_ns), "
                                        "sum(waiting_ns), sum(working_ns), sum(blocked_ns)") +
                                    " WHERE stage = ? AND " + column + " >= ? AND " + column +
                                    " < ? GROUP BY step ORDER BY step");
    for (std::size_t i = 0; stages.step(); ++i) {
      if (series.keys.size() <= i) {
        series.keys.push_back({.key = stages.text(1), .role = stages.text(2), .points = {}});
      }
      std::vector<SeriesPoint>& to = series.keys[i].points;
      points.bind(1, stages.integer(0)).bind(2, first).bind(3, behind);
      while (first < behind && points.step()) {
        const double begin_s = seconds(points.integer(0) * range_.step);
        if (to.empty() || to.back().begin_s != begin_s) {
          to.push_back({.begin_s = begin_s});
        }
        SeriesPoint& point = to.back();
        point.span_s += points.real(1) * kNs;
        point.items += points.number(2);
        point.errors += points.number(3);
        point.busy_s += points.real(4) * kNs;
        point.max_s = std::max(point.max_s, points.real(5) * kNs);
        point.waiting_s += points.real(6) * kNs;
        point.working_s += points.real(7) * kNs;
        point.blocked_s += points.real(8) * kNs;
      }
      points.reset();
    }
  }

  void read_links(Series& series, const std::string& table, const std::string& window, std::int64_t first,
                  std::int64_t behind) {
    const std::string column = table == "link_minutes" ? "minute" : "window";
    Statement links(database_, "SELECT id, name FROM links WHERE run = ? ORDER BY position");
    links.bind(1, run_);
    const std::string count = table == "link_minutes" ? "windows" : "1";
    Statement points(database_, grouped(table, window,
                                        "sum(items), sum(dropped), sum(fill_items * " + count + "), sum(fill * " +
                                            count + "), max(oldest_ns), sum(" + count + ")") +
                                    " WHERE link = ? AND " + column + " >= ? AND " + column +
                                    " < ? GROUP BY step ORDER BY step");
    for (std::size_t i = 0; links.step(); ++i) {
      if (series.links.size() <= i) {
        series.links.push_back({.name = links.text(1), .points = {}});
      }
      std::vector<LinkPoint>& to = series.links[i].points;
      points.bind(1, links.integer(0)).bind(2, first).bind(3, behind);
      while (first < behind && points.step()) {
        const double begin_s = seconds(points.integer(0) * range_.step);
        // Of a step that both tables have a part of, the means are those of the part that has been put together.
        const bool begun = !to.empty() && to.back().begin_s == begin_s;
        if (!begun) {
          const double windows = std::max(points.real(6), 1.0);
          to.push_back({.begin_s = begin_s, .inside = points.real(3) / windows, .fill = points.real(4) / windows});
        }
        LinkPoint& point = to.back();
        point.items += points.number(1);
        point.dropped += points.number(2);
        point.oldest_s = std::max(point.oldest_s, points.real(5) * kNs);
      }
      points.reset();
    }
  }

  Database& database_;
  std::int64_t run_;
  Range range_;
};

}  // namespace

Series read_series(Database& database, std::int64_t run, double from_s, double to_s, std::size_t most_points) {
  const auto last = last_window(database, run);
  return last ? SeriesReader(database, run, range_of(*last, from_s, to_s, most_points)).read() : Series{};
}

void roll_up(Database& database, std::int64_t run, std::int64_t first, std::int64_t behind) {
  Statement keys(database,
                 "INSERT OR REPLACE INTO minutes(stage, minute, span_ns, items, errors, total_ns, max_ns, waiting_ns, "
                 "working_ns, blocked_ns) SELECT stage, window / ?4, sum(span_ns), sum(windows.items), "
                 "sum(windows.errors), sum(windows.total_ns), max(windows.max_ns), sum(windows.waiting_ns), "
                 "sum(windows.working_ns), sum(windows.blocked_ns) FROM stages JOIN windows ON stage = stages.id "
                 "WHERE run = ?1 AND window >= ?2 AND window < ?3 GROUP BY stage, window / ?4");
  keys.bind(1, run).bind(2, first * kWindowsInMinute).bind(3, behind * kWindowsInMinute).bind(4, kWindowsInMinute);
  keys.run();
  Statement links(database,
                  "INSERT OR REPLACE INTO link_minutes(link, minute, windows, items, dropped, fill_items, fill, "
                  "oldest_ns) SELECT link, window / ?4, count(*), sum(link_windows.items), sum(link_windows.dropped), "
                  "avg(fill_items), avg(fill), max(oldest_ns) FROM links JOIN link_windows ON link = links.id "
                  "WHERE run = ?1 AND window >= ?2 AND window < ?3 GROUP BY link, window / ?4");
  links.bind(1, run).bind(2, first * kWindowsInMinute).bind(3, behind * kWindowsInMinute).bind(4, kWindowsInMinute);
  links.run();
}

std::int64_t rolled_up_until(Database& database, std::int64_t run) {
  if (database.query_integer("SELECT count(*) FROM sqlite_master WHERE name = 'minutes'").value_or(0) == 0) {
    return 0;
  }
  // Stages without items have no windows; links always have.
  Statement statement(
      database,
      "SELECT max(last) FROM ("
      "SELECT (SELECT minute FROM minutes WHERE stage = stages.id ORDER BY minute DESC LIMIT 1) AS last "
      "FROM stages WHERE run = ?1 UNION ALL "
      "SELECT (SELECT minute FROM link_minutes WHERE link = links.id ORDER BY minute DESC LIMIT 1) "
      "FROM links WHERE run = ?1)");
  statement.bind(1, run);
  return statement.step() && !statement.is_null(0) ? statement.integer(0) + 1 : 0;
}

}  // namespace pystream::store
