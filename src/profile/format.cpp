#include "profile/format.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>
#include <vector>

#include "base/display_text.hpp"
#include "plan/stage_names.hpp"

namespace pystream::profile {
namespace {

std::string three_digits(double value) {
  std::array<char, 32> text{};
  const int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

using Cells = std::vector<std::string>;

/// Of what a narrow terminal has no room for, the tails of the distribution and the shares that add up to the third go
/// first.
base::TextTable empty_table() {
  return base::TextTable({{.title = "key", .cut = base::TextTable::Cut::middle},
                          {.title = "items", .right = true},
                          {.title = "mean", .right = true},
                          {.title = "p50", .right = true, .drop = 7},
                          {.title = "p90", .right = true, .drop = 10},
                          {.title = "p99", .right = true, .drop = 3},
                          {.title = "p99.9", .right = true, .drop = 11},
                          {.title = "max", .right = true, .drop = 8},
                          {.title = "items/s", .right = true, .drop = 2},
                          {.title = "waiting", .right = true, .drop = 9},
                          {.title = "working", .right = true, .drop = 1},
                          {.title = "blocked", .right = true, .drop = 4},
                          {.title = "restarts", .right = true, .drop = 6},
                          {.title = "drops", .right = true, .drop = 12},
                          {.title = "errors", .right = true, .drop = 5}});
}

Cells cells_of(const KeySummary& key) {
  const bool stage = key.role != "pipeline";
  const auto share = [&](double value) { return stage ? format_percent(value) : std::string("-"); };
  const auto time = [&](double value) { return key.samples > 0 ? format_time(value) : std::string("-"); };
  return {plan::short_key(key.key) + (key.bottleneck ? " *" : ""),
          std::to_string(key.items),
          key.items > 0 ? format_time(key.mean_s) : "-",
          time(key.p50_s),
          time(key.p90_s),
          time(key.p99_s),
          time(key.p999_s),
          time(key.max_s),
          key.items_per_s > 0 ? format_count(key.items_per_s) : "-",
          share(key.waiting),
          share(key.working),
          share(key.blocked),
          stage ? std::to_string(key.restarts) : "-",
          stage ? std::to_string(key.dropped) : "-",
          stage ? std::to_string(key.errors) : "-"};
}

/// How much the choice of the sampled items may matter, for the key where it matters most.
std::string rank_note(const RunSummary& summary) {
  const auto worst =
      std::max_element(summary.keys.begin(), summary.keys.end(),
                       [](const KeySummary& a, const KeySummary& b) { return a.rank_error < b.rank_error; });
  if (worst == summary.keys.end() || worst->rank_error <= 0) {
    return {};
  }
  const auto range = [&](double share) {
    const double error = 2 * worst->rank_error * std::sqrt(share * (1 - share));
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%.2f %%", error * 100);
    return std::string(text.data());
  };
  return "The least sampled key is " + plan::short_key(worst->key) + ", with " +
         format_count(static_cast<double>(worst->samples)) + " of " + format_count(static_cast<double>(worst->items)) +
         " items: its p50 is right to " + range(0.5) + " of the items, its p99 to " + range(0.99) +
         " (19 times in 20); each value is off by up to 1/32.\n";
}

std::string notes(const RunSummary& summary) {
  std::string text;
  if (!summary.bottleneck.empty()) {
    text += "\n* bottleneck: " + plan::short_key(summary.bottleneck) + "\n";
  }
  std::uint64_t items = 0;
  std::uint64_t rows = 0;
  std::map<std::string, std::uint64_t> lost_by_worker;
  bool sampled = false;
  for (const KeySummary& key : summary.keys) {
    if (!key.worker.empty()) {
      items += key.items;
      rows += key.rows;
      lost_by_worker[key.worker] = std::max(lost_by_worker[key.worker], key.rows_lost);
    }
    sampled |= key.samples < key.items;
  }
  std::uint64_t lost = 0;
  for (const auto& [worker, count] : lost_by_worker) {
    lost += count;
  }
  if (sampled) {
    text += "Percentiles are of sampled items; counts, means, rates and shares are of all items.\n";
    text += rank_note(summary);
  }
  if (rows < items) {
    text += "Single items kept: " + format_count(static_cast<double>(rows)) + " of " +
            format_count(static_cast<double>(items)) + ", the same ones in every stage.\n";
  }
  if (lost > 0) {
    text += "Lost rows of single items: " + std::to_string(lost) + " (the database could not take them).\n";
  }
  if (summary.dead_letters > 0) {
    text += "Dead letters: " + std::to_string(summary.dead_letters) + " (see pystream-coord dead-letters list).\n";
  }
  return text;
}

/// Long names are cut in the middle.
std::string with_short_words(std::string_view line, std::size_t width) {
  std::string out;
  while (!line.empty()) {
    const std::string_view word = line.substr(0, line.find(' '));
    out += base::shortened_middle(word, width) + (word.size() < line.size() ? " " : "");
    line.remove_prefix(std::min(line.size(), word.size() + 1));
  }
  return out;
}

}  // namespace

std::string lines_within(std::string_view text, const base::TextTable::Look& look) {
  std::string out;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::string shown = base::printable_line(line);
    out += (look.width ? base::wrapped(with_short_words(shown, *look.width), *look.width, 0) : shown) + "\n";
  }
  return out;
}

std::string format_time(double seconds) {
  static constexpr std::array<std::pair<double, const char*>, 4> kUnits{
      {{1e-9, " ns"}, {1e-6, " us"}, {1e-3, " ms"}, {1.0, " s"}}};
  for (const auto& [size, name] : kUnits) {
    if (seconds < 999.5 * size || size == 1.0) {
      return three_digits(seconds / size) + name;
    }
  }
  return {};
}

std::string format_date(double unix_time) {
  const auto seconds = static_cast<std::time_t>(unix_time);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

std::string format_count(double count) {
  if (count < 999.5) {
    return three_digits(count);
  }
  return count < 999.5e3   ? three_digits(count * 1e-3) + " k"
         : count < 999.5e6 ? three_digits(count * 1e-6) + " M"
                           : three_digits(count * 1e-9) + " G";
}

std::string format_percent(double share) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %%", share * 100);
  return text.data();
}

std::string to_table(const RunSummary& summary, const base::TextTable::Look& look) {
  std::string text = "Run " + std::to_string(summary.run) + " of " + summary.name + ", " +
                     format_date(summary.started) + ", " + summary.outcome;
  if (summary.duration_s > 0) {
    text += " after " + format_time(summary.duration_s);
  }
  text += summary.reason.empty() ? "\n\n" : "\n" + plan::short_key(summary.reason) + "\n\n";
  base::TextTable table = empty_table();
  for (const KeySummary& key : summary.keys) {
    table.add(cells_of(key), key.bottleneck ? "\x1b[1m" : "");
  }
  return lines_within(text, look) + table.text(look) + lines_within(notes(summary), look);
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char letter : base::valid_utf8(text)) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      out += '\\';
      out += letter;
    } else if (code < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", code);
      out += escape.data();
    } else {
      out += letter;
    }
  }
  return out + "\"";
}

std::string json_number(double value) {
  if (!std::isfinite(value)) {
    return "null";
  }
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

std::string html_text(std::string_view text) {
  std::string out;
  for (const char letter : base::valid_utf8(text)) {
    switch (letter) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += letter;
    }
  }
  return out;
}

std::string to_json(const RunSummary& s) {
  std::string out = "{\n  \"run\": " + std::to_string(s.run) + ",\n  \"name\": " + json_string(s.name) +
                    ",\n  \"host\": " + json_string(s.host) + ",\n  \"outcome\": " + json_string(s.outcome) +
                    ",\n  \"reason\": " + json_string(s.reason) + ",\n  \"started\": " + json_number(s.started) +
                    ",\n  \"duration_s\": " + json_number(s.duration_s) +
                    ",\n  \"dead_letters\": " + std::to_string(s.dead_letters) +
                    ",\n  \"bottleneck\": " + json_string(s.bottleneck) + ",\n  \"keys\": [";
  for (const KeySummary& k : s.keys) {
    const auto number = [](const char* name, double value) {
      return ", \"" + std::string(name) + "\": " + json_number(value);
    };
    const auto count = [](const char* name, std::uint64_t value) {
      return ", \"" + std::string(name) + "\": " + std::to_string(value);
    };
    out += &k == s.keys.data() ? "\n    {" : ",\n    {";
    out += "\"key\": " + json_string(k.key) + ", \"role\": " + json_string(k.role) +
           ", \"worker\": " + json_string(k.worker) + count("items", k.items) + count("errors", k.errors) +
           count("samples", k.samples) + number("mean_s", k.mean_s) + number("min_s", k.min_s) +
           number("p50_s", k.p50_s) + number("p90_s", k.p90_s) + number("p99_s", k.p99_s) + number("p999_s", k.p999_s) +
           number("max_s", k.max_s) + number("rank_error", k.rank_error) + number("items_per_s", k.items_per_s) +
           number("waiting", k.waiting) + number("working", k.working) + number("blocked", k.blocked) +
           number("busy_s", k.busy_s) + count("restarts", k.restarts) + count("dropped", k.dropped) +
           count("rows", k.rows) + count("one_row_in", k.one_row_in) + count("rows_lost", k.rows_lost) +
           ", \"bottleneck\": " + (k.bottleneck ? "true" : "false") + "}";
  }
  return out + "\n  ]\n}\n";
}

std::string to_csv(const RunSummary& s) {
  std::string out =
      "run,key,role,items,errors,samples,mean_s,min_s,p50_s,p90_s,p99_s,p999_s,max_s,rank_error,items_per_s,waiting,"
      "working,"
      "blocked,"
      "restarts,dropped,rows,one_row_in,rows_lost,bottleneck\n";
  for (const KeySummary& k : s.keys) {
    out += std::to_string(s.run) + "," + k.key + "," + k.role + "," + std::to_string(k.items) + "," +
           std::to_string(k.errors) + "," + std::to_string(k.samples);
    for (const double value : {k.mean_s, k.min_s, k.p50_s, k.p90_s, k.p99_s, k.p999_s, k.max_s, k.rank_error,
                               k.items_per_s, k.waiting, k.working, k.blocked}) {
      out += "," + json_number(value);
    }
    for (const std::uint64_t value : {std::uint64_t{k.restarts}, k.dropped, k.rows, k.one_row_in, k.rows_lost}) {
      out += "," + std::to_string(value);
    }
    out += k.bottleneck ? ",1\n" : ",0\n";
  }
  return out;
}

}  // namespace pystream::profile
