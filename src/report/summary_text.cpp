#include "report/summary_text.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "base/display_text.hpp"
#include "base/escaped_text.hpp"
#include "base/number_text.hpp"
#include "plan/stage_names.hpp"

namespace pystream::report {
namespace {

using Cells = std::vector<std::string>;

/// Of what a narrow terminal has no room for, the tails of the distribution and the shares that add up to the third go
/// first.
base::TextTable empty_table() {
  return base::TextTable({{.title = "key", .cut = base::TextTable::Cut::middle},
                          {.title = "items", .right = true},
                          {.title = "mean", .right = true},
                          {.title = "p50", .right = true, .drop = 8},
                          {.title = "p90", .right = true, .drop = 13},
                          {.title = "p99", .right = true, .drop = 3},
                          {.title = "p99.9", .right = true, .drop = 14},
                          {.title = "max", .right = true, .drop = 10},
                          {.title = "items/s", .right = true, .drop = 2},
                          {.title = "waiting", .right = true, .drop = 11},
                          {.title = "working", .right = true, .drop = 1},
                          {.title = "blocked", .right = true, .drop = 4},
                          {.title = "in link", .right = true, .drop = 9},
                          {.title = "queueing", .right = true, .drop = 7},
                          {.title = "oldest", .right = true, .drop = 12},
                          {.title = "restarts", .right = true, .drop = 6},
                          {.title = "drops", .right = true, .drop = 15},
                          {.title = "errors", .right = true, .drop = 5}});
}

Cells cells_of(const profile::KeySummary& key) {
  const bool stage = key.role != "pipeline";
  const auto share = [&](double value) { return stage ? base::percent_text(value) : std::string("-"); };
  const auto time = [&](double value) { return key.samples > 0 ? base::time_text(value) : std::string("-"); };
  return {plan::replicas_name(key.key, key.replicas) + (key.bottleneck ? " *" : ""),
          std::to_string(key.items),
          key.items > 0 ? base::time_text(key.mean_s) : "-",
          time(key.p50_s),
          time(key.p90_s),
          time(key.p99_s),
          time(key.p999_s),
          time(key.max_s),
          key.items_per_s > 0 ? base::number_text(key.items_per_s) : "-",
          share(key.waiting),
          share(key.working),
          share(key.blocked),
          key.has_link ? base::percent_text(key.fill) : "-",
          key.has_link ? base::time_text(key.queueing_s) : "-",
          key.has_link && key.oldest_s > 0 ? base::time_text(key.oldest_s) : "-",
          stage ? std::to_string(key.restarts) : "-",
          stage ? std::to_string(key.dropped) : "-",
          stage ? std::to_string(key.errors) : "-"};
}

/// How much the choice of the sampled items may matter, for the key where it matters most.
std::string rank_note(const profile::RunSummary& summary) {
  const auto worst = std::max_element(
      summary.keys.begin(), summary.keys.end(),
      [](const profile::KeySummary& a, const profile::KeySummary& b) { return a.rank_error < b.rank_error; });
  if (worst == summary.keys.end() || worst->rank_error <= 0) {
    return {};
  }
  const auto range = [&](double share) {
    const double error = 2 * worst->rank_error * std::sqrt(share * (1 - share));
    return base::percent_text(error, 2);
  };
  return "The least sampled key is " + plan::short_key(worst->key) + ", with " +
         base::number_text(static_cast<double>(worst->samples)) + " of " +
         base::number_text(static_cast<double>(worst->items)) + " items: its p50 is right to " + range(0.5) +
         " of the items, its p99 to " + range(0.99) + " (19 times in 20); each value is off by up to 1/32.\n";
}

std::string notes(const profile::RunSummary& summary) {
  std::string text;
  if (!summary.bottleneck.empty()) {
    text += "\n* bottleneck: " + plan::short_key(summary.bottleneck) + "\n";
  }
  std::uint64_t items = 0;
  std::uint64_t rows = 0;
  std::map<std::string, std::uint64_t> lost_by_worker;
  bool sampled = false;
  for (const profile::KeySummary& key : summary.keys) {
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
    text += "Single items kept: " + base::number_text(static_cast<double>(rows)) + " of " +
            base::number_text(static_cast<double>(items)) + ", the same ones in every stage.\n";
  }
  if (lost > 0) {
    text += "Lost rows of single items: " + std::to_string(lost) + " (the database could not take them).\n";
  }
  if (summary.dead_letters > 0) {
    text += "Dead letters: " + std::to_string(summary.dead_letters) + " (see pystream-coord dead-letters list).\n";
  }
  return text;
}

}  // namespace

std::string to_table(const profile::RunSummary& summary, const base::TextTable::Look& look) {
  std::string text = "Run " + std::to_string(summary.run) + " of " + summary.name + ", " +
                     base::date_text(summary.started) + ", " + summary.outcome;
  if (summary.duration_s > 0) {
    text += " after " + base::time_text(summary.duration_s);
  }
  text += summary.reason.empty() ? "\n\n" : "\n" + plan::short_key(summary.reason) + "\n\n";
  base::TextTable table = empty_table();
  for (const profile::KeySummary& key : summary.keys) {
    table.add(cells_of(key), key.bottleneck ? "\x1b[1m" : "");
  }
  return base::lines_within(text, look) + table.text(look) + base::lines_within(notes(summary), look);
}

std::string to_json(const profile::RunSummary& s) {
  std::string out =
      "{\n  \"run\": " + std::to_string(s.run) + ",\n  \"name\": " + base::json_string(s.name) +
      ",\n  \"host\": " + base::json_string(s.host) + ",\n  \"outcome\": " + base::json_string(s.outcome) +
      ",\n  \"reason\": " + base::json_string(s.reason) + ",\n  \"started\": " + base::json_number(s.started) +
      ",\n  \"duration_s\": " + base::json_number(s.duration_s) +
      ",\n  \"dead_letters\": " + std::to_string(s.dead_letters) +
      ",\n  \"bottleneck\": " + base::json_string(s.bottleneck) + ",\n  \"keys\": [";
  for (const profile::KeySummary& k : s.keys) {
    const auto number = [](const char* name, double value) {
      return ", \"" + std::string(name) + "\": " + base::json_number(value);
    };
    const auto count = [](const char* name, std::uint64_t value) {
      return ", \"" + std::string(name) + "\": " + std::to_string(value);
    };
    out += &k == s.keys.data() ? "\n    {" : ",\n    {";
    out += "\"key\": " + base::json_string(k.key) + ", \"role\": " + base::json_string(k.role) +
           ", \"worker\": " + base::json_string(k.worker) + count("replicas", k.replicas) + count("items", k.items) +
           count("errors", k.errors) + count("samples", k.samples) + number("mean_s", k.mean_s) +
           number("min_s", k.min_s) + number("p50_s", k.p50_s) + number("p90_s", k.p90_s) + number("p99_s", k.p99_s) +
           number("p999_s", k.p999_s) + number("max_s", k.max_s) + number("rank_error", k.rank_error) +
           number("items_per_s", k.items_per_s) + number("waiting", k.waiting) + number("working", k.working) +
           number("blocked", k.blocked) + number("busy_s", k.busy_s) + count("restarts", k.restarts) +
           count("dropped", k.dropped) + count("rows", k.rows) + count("one_row_in", k.one_row_in) +
           count("rows_lost", k.rows_lost) + number("fill", k.fill) + number("queueing_s", k.queueing_s) +
           number("oldest_s", k.oldest_s) + ", \"bottleneck\": " + (k.bottleneck ? "true" : "false") + "}";
  }
  return out + "\n  ]\n}\n";
}

std::string to_csv(const profile::RunSummary& s) {
  std::string out =
      "run,key,role,replicas,items,errors,samples,mean_s,min_s,p50_s,p90_s,p99_s,p999_s,max_s,rank_error,items_per_s,"
      "waiting,"
      "working,"
      "blocked,"
      "restarts,dropped,rows,one_row_in,rows_lost,bottleneck,fill,queueing_s,oldest_s\n";
  for (const profile::KeySummary& k : s.keys) {
    out += std::to_string(s.run) + "," + k.key + "," + k.role + "," + std::to_string(k.replicas) + "," +
           std::to_string(k.items) + "," + std::to_string(k.errors) + "," + std::to_string(k.samples);
    for (const double value : {k.mean_s, k.min_s, k.p50_s, k.p90_s, k.p99_s, k.p999_s, k.max_s, k.rank_error,
                               k.items_per_s, k.waiting, k.working, k.blocked}) {
      out += "," + base::json_number(value);
    }
    for (const std::uint64_t value : {std::uint64_t{k.restarts}, k.dropped, k.rows, k.one_row_in, k.rows_lost}) {
      out += "," + std::to_string(value);
    }
    out += k.bottleneck ? ",1" : ",0";
    for (const double value : {k.fill, k.queueing_s, k.oldest_s}) {
      out += "," + base::json_number(value);
    }
    out += "\n";
  }
  return out;
}

}  // namespace pystream::report
