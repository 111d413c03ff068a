#include <cstring>

#include "profile/windows.hpp"

namespace pystream::profile {
namespace {

std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs_in(const std::string& blob) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  for (std::size_t at = 0; at + 8 <= blob.size(); at += 8) {
    std::pair<std::uint32_t, std::uint32_t> pair;
    std::memcpy(&pair.first, blob.data() + at, 4);
    std::memcpy(&pair.second, blob.data() + at + 4, 4);
    pairs.push_back(pair);
  }
  return pairs;
}

}  // namespace

std::vector<KeyWindows> read_windows(Database& database, std::int64_t run) {
  Statement rows(database,
                 "SELECT stages.position, key, role, window, window * runs.window_ns, span_ns, windows.items, "
                 "windows.errors, windows.timed, windows.timed_ns, windows.total_ns, windows.min_ns, windows.max_ns, "
                 "windows.waiting_ns, windows.working_ns, windows.blocked_ns, histogram "
                 "FROM windows JOIN stages ON stages.id = windows.stage JOIN runs ON runs.id = stages.run "
                 "WHERE runs.id = ? ORDER BY stages.position, window");
  rows.bind(1, run);
  std::vector<KeyWindows> keys;
  while (rows.step()) {
    if (keys.empty() || keys.back().key != rows.text(1)) {
      keys.push_back({.key = rows.text(1), .role = rows.text(2), .windows = {}});
    }
    keys.back().windows.push_back({.window = rows.number(3),
                                   .begin_s = rows.real(4) * 1e-9,
                                   .span_s = rows.real(5) * 1e-9,
                                   .items = rows.number(6),
                                   .errors = rows.number(7),
                                   .timed = rows.real(8),
                                   .timed_ns = rows.real(9),
                                   .total_ns = rows.real(10),
                                   .min_ns = rows.real(11),
                                   .max_ns = rows.real(12),
                                   .waiting_ns = rows.real(13),
                                   .working_ns = rows.real(14),
                                   .blocked_ns = rows.real(15),
                                   .histogram = pairs_in(rows.blob(16))});
  }
  return keys;
}

}  // namespace pystream::profile
