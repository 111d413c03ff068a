#include "store/past_runs.hpp"

#include "base/escaped_text.hpp"

namespace pystream::store {
namespace {

std::string json_or_null(const std::optional<std::uint64_t>& count) {
  return count ? std::to_string(*count) : "null";
}

}  // namespace

std::vector<PastRun> list_runs(Database& database) {
  Statement rows(database,
                 "SELECT RunSummary.run, RunSummary.name, RunSummary.outcome, RunSummary.reason, runs.started, "
                 "RunSummary.duration_s, RunSummary.items, RunSummary.errors, RunSummary.restarts, "
                 "RunSummary.dropped, RunSummary.dead_letters FROM RunSummary JOIN runs ON runs.id = RunSummary.run "
                 "ORDER BY RunSummary.run");
  const auto count = [&](int column) {
    return rows.is_null(column) ? std::nullopt : std::optional(rows.number(column));
  };
  std::vector<PastRun> runs;
  while (rows.step()) {
    runs.push_back({.run = rows.integer(0),
                    .name = rows.text(1),
                    .outcome = rows.text(2),
                    .reason = rows.text(3),
                    .started = rows.real(4),
                    .duration_s = rows.is_null(5) ? std::nullopt : std::optional(rows.real(5)),
                    .items = count(6),
                    .errors = count(7),
                    .restarts = count(8),
                    .dropped = count(9),
                    .dead_letters = rows.number(10)});
  }
  return runs;
}

std::string to_json(const std::vector<PastRun>& runs) {
  std::string out = "[";
  for (const PastRun& run : runs) {
    out += (out.size() > 1 ? ",\n " : "") + std::string("{\"run\": ") + std::to_string(run.run) +
           ", \"name\": " + base::json_string(run.name) + ", \"outcome\": " + base::json_string(run.outcome) +
           ", \"reason\": " + base::json_string(run.reason) + ", \"started\": " + base::json_number(run.started) +
           ", \"duration_s\": " + (run.duration_s ? base::json_number(*run.duration_s) : "null") +
           ", \"items\": " + json_or_null(run.items) + ", \"errors\": " + json_or_null(run.errors) +
           ", \"restarts\": " + json_or_null(run.restarts) + ", \"dropped\": " + json_or_null(run.dropped) +
           ", \"dead_letters\": " + std::to_string(run.dead_letters) + "}";
  }
  return out + "]\n";
}

std::string read_plan(Database& database, std::int64_t run) {
  Statement row(database, "SELECT plan FROM runs WHERE id = ?");
  row.bind(1, run);
  if (!row.step()) {
    throw ProfilingError("there is no run " + std::to_string(run) + " in " + database.path().string());
  }
  return row.text(0);
}

std::vector<std::string> stage_keys(Database& database, std::optional<std::int64_t> run) {
  Statement rows(database,
                 "SELECT key FROM stages WHERE ?1 IS NULL OR run = ?1 UNION SELECT stage FROM dead_letters "
                 "WHERE ?1 IS NULL OR run = ?1");
  if (run) {
    rows.bind(1, *run);
  }
  std::vector<std::string> keys;
  while (rows.step()) {
    keys.push_back(rows.text(0));
  }
  return keys;
}

}  // namespace pystream::store
