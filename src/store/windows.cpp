#include "store/windows.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "shm/profile_abi.hpp"

namespace pystream::store {
namespace {

/// What single items tell of a pipeline inside another goes into the windows in which they ended.
void add_passages(KeyWindows& key, const std::vector<Passage>& passages) {
  std::map<std::uint64_t, std::map<std::uint32_t, double>> histograms;
  std::map<std::uint64_t, WindowFigures*> windows;
  for (WindowFigures& window : key.windows) {
    windows[window.window] = &window;
  }
  for (const Passage& passage : passages) {
    const auto window = windows.find(passage.window);
    if (window == windows.end()) {
      continue;
    }
    WindowFigures& figures = *window->second;
    const auto ns = static_cast<double>(passage.ns);
    figures.min_ns = figures.timed > 0 ? std::min(figures.min_ns, ns) : ns;
    figures.max_ns = std::max(figures.max_ns, ns);
    figures.samples += 1;
    figures.timed += passage.stands_for;
    figures.timed_ns += ns * passage.stands_for;
    histograms[passage.window][static_cast<std::uint32_t>(shm::bucket_of(passage.ns))] += passage.stands_for;
  }
  for (const auto& [number, histogram] : histograms) {
    for (const auto& [bucket, items] : histogram) {
      windows[number]->histogram.emplace_back(bucket, static_cast<std::uint32_t>(std::lround(items)));
    }
  }
}

/// From each passage to the next, in sequence numbers. Behind the last none is known: it counts like the one before.
std::vector<double> numbers_between(const std::vector<Passage>& passages) {
  std::vector<double> numbers(passages.size(), 1);
  for (std::size_t i = 0; i + 1 < passages.size(); ++i) {
    numbers[i] = static_cast<double>(passages[i + 1].sequence - passages[i].sequence);
  }
  if (numbers.size() > 1) {
    numbers.back() = numbers[numbers.size() - 2];
  }
  return numbers;
}

/// Which window counts each of them, and how many items one stands for there.
void weigh(Database& database, std::int64_t stage, std::vector<Passage>& passages) {
  struct Window {
    double items = 0;
    double numbers = 0;  ///< that the passages in it stand for; of some no item came out
  };
  std::map<std::uint64_t, Window> windows;
  std::int64_t window_ns = shm::kWindowNs;
  Statement rows(database,
                 "SELECT window, windows.items, runs.window_ns FROM windows JOIN stages ON stages.id = windows.stage "
                 "JOIN runs ON runs.id = stages.run WHERE windows.stage = ?");
  rows.bind(1, stage);
  double items = 0;
  while (rows.step()) {
    windows[rows.number(0)].items = rows.real(1);
    items += rows.real(1);
    window_ns = std::max<std::int64_t>(rows.integer(2), 1);
  }
  const std::vector<double> numbers = numbers_between(passages);
  for (std::size_t i = 0; i < passages.size(); ++i) {
    Passage& passage = passages[i];
    // A window that the database could not take is part of the next one that it took.
    const auto window = windows.lower_bound(static_cast<std::uint64_t>(passage.end_ns / window_ns));
    passage.window = window != windows.end() ? window->first : windows.empty() ? 0 : windows.rbegin()->first;
    windows[passage.window].numbers += numbers[i];
  }
  if (static_cast<double>(passages.size()) >= items) {
    return;  // all are recorded
  }
  for (std::size_t i = 0; i < passages.size(); ++i) {
    const Window& window = windows[passages[i].window];
    passages[i].stands_for = std::max(window.items * numbers[i] / window.numbers, 1.0);
  }
}

}  // namespace

std::vector<std::pair<std::uint32_t, std::uint32_t>> histogram_pairs(const std::string& blob) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (std::size_t at = 0; at + 8 <= blob.size(); at += 8) {
    std::pair<std::uint32_t, std::uint32_t> pair;
    std::memcpy(&pair.first, blob.data() + at, 4);
    std::memcpy(&pair.second, blob.data() + at + 4, 4);
    pairs.push_back(pair);
  }
  return pairs;
}

std::vector<Passage> read_passages(Database& database, std::int64_t stage) {
  Statement ends(database, "SELECT first_stage, last_stage, before_stage FROM stages WHERE id = ?");
  ends.bind(1, stage);
  if (!ends.step() || ends.is_null(0)) {
    return {};
  }
  const bool has_before = !ends.is_null(2);
  const std::int64_t entrance = ends.integer(has_before ? 2 : 0);
  const std::int64_t last = ends.integer(1);
  ends.reset();
  Statement rows(database,
                 "SELECT end_ns, end_ns - begin_ns, sequence FROM (SELECT sequence, max(end_ns) AS end_ns FROM items "
                 "WHERE stage = ?1 GROUP BY sequence) JOIN (SELECT sequence, " +
                     std::string(has_before ? "max(end_ns)" : "min(start_ns)") +
                     " AS begin_ns FROM items WHERE stage = ?2 GROUP BY sequence) USING (sequence) ORDER BY sequence");
  rows.bind(1, last).bind(2, entrance);
  std::vector<Passage> passages;
  while (rows.step()) {
    passages.push_back(
        {.sequence = rows.number(2), .end_ns = rows.integer(0), .ns = rows.integer(1) > 0 ? rows.number(1) : 0});
  }
  weigh(database, stage, passages);
  return passages;
}

std::vector<KeyWindows> read_windows(Database& database, std::int64_t run) {
  Statement rows(
      database,
      "SELECT stages.position, key, role, window, window * runs.window_ns, span_ns, windows.items, "
      "windows.errors, windows.timed, windows.timed_ns, windows.total_ns, windows.min_ns, windows.max_ns, "
      "windows.waiting_ns, windows.working_ns, windows.blocked_ns, histogram, stages.id, stages.worker IS NULL, "
      "windows.samples "
      "FROM windows JOIN stages ON stages.id = windows.stage JOIN runs ON runs.id = stages.run "
      "WHERE runs.id = ? ORDER BY stages.position, window");
  rows.bind(1, run);
  std::vector<KeyWindows> keys;
  struct Derived {
    std::size_t key;
    std::int64_t stage;
  };
  std::vector<Derived> derived;
  while (rows.step()) {
    if (keys.empty() || keys.back().key != rows.text(1)) {
      if (rows.integer(18) != 0) {
        derived.push_back({.key = keys.size(), .stage = rows.integer(17)});
      }
      keys.push_back({.key = rows.text(1), .role = rows.text(2), .windows = {}});
    }
    keys.back().windows.push_back({.window = rows.number(3),
                                   .begin_s = rows.real(4) * 1e-9,
                                   .span_s = rows.real(5) * 1e-9,
                                   .items = rows.number(6),
                                   .errors = rows.number(7),
                                   .samples = rows.real(19),
                                   .timed = rows.real(8),
                                   .timed_ns = rows.real(9),
                                   .total_ns = rows.real(10),
                                   .min_ns = rows.real(11),
                                   .max_ns = rows.real(12),
                                   .waiting_ns = rows.real(13),
                                   .working_ns = rows.real(14),
                                   .blocked_ns = rows.real(15),
                                   .histogram = histogram_pairs(rows.blob(16))});
  }
  for (const Derived& pipeline : derived) {
    add_passages(keys[pipeline.key], read_passages(database, pipeline.stage));
  }
  return keys;
}

}  // namespace pystream::store
