#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "base/number_text.hpp"
#include "profile/bottleneck.hpp"
#include "profile/figures.hpp"
#include "profile/run_description.hpp"
#include "profile/schema.hpp"
#include "profile/summary.hpp"
#include "profile/windows.hpp"

namespace pystream::profile {
namespace {

constexpr double kNs = 1e-9;

std::vector<std::uint64_t> histogram_of(Database& database, std::int64_t stage) {
  Statement statement(database, "SELECT low_ns, items FROM histograms WHERE stage = ?");
  statement.bind(1, stage);
  std::vector<std::uint64_t> histogram(shm::kBuckets);
  while (statement.step()) {
    histogram[shm::bucket_of(statement.number(0))] += statement.number(1);
  }
  return histogram;
}

void add_percentiles(KeySummary& key, const std::vector<std::uint64_t>& histogram, std::uint64_t max_ns) {
  key.p50_s = percentile_s(histogram, 0.5, max_ns);
  key.p90_s = percentile_s(histogram, 0.9, max_ns);
  key.p99_s = percentile_s(histogram, 0.99, max_ns);
  key.p999_s = percentile_s(histogram, 0.999, max_ns);
}

double ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}

/// See KeySummary::rank_error. `effective`: so many samples of equal weight tell as much.
double rank_error(const KeySummary& key, double effective) {
  constexpr double kConfidence = 1.96;  // of a normal distribution: 95 %
  const double unseen = 1 - ratio(static_cast<double>(key.samples), static_cast<double>(key.items));
  return unseen > 0 && effective > 0 ? std::min(kConfidence * std::sqrt(0.25 * unseen / effective), 0.5) : 0;
}

/// How long single items took through a pipeline inside another.
void add_passages(KeySummary& key, const std::vector<Passage>& passages) {
  if (passages.empty()) {
    return;
  }
  std::vector<double> items(shm::kBuckets);
  std::uint64_t largest = 0;
  std::uint64_t smallest = ~std::uint64_t{0};
  double sum = 0;
  double squares = 0;
  for (const Passage& passage : passages) {
    items[shm::bucket_of(passage.ns)] += passage.stands_for;
    sum += passage.stands_for;
    squares += passage.stands_for * passage.stands_for;
    largest = std::max(largest, passage.ns);
    smallest = std::min(smallest, passage.ns);
  }
  std::vector<std::uint64_t> histogram;
  std::transform(items.begin(), items.end(), std::back_inserter(histogram),
                 [](double count) { return static_cast<std::uint64_t>(std::llround(count)); });
  key.samples = passages.size();
  key.rank_error = rank_error(key, sum * sum / squares);
  key.min_s = static_cast<double>(smallest) * kNs;
  key.max_s = static_cast<double>(largest) * kNs;
  add_percentiles(key, histogram, largest);
}

void name_bottleneck(RunSummary& summary) {
  std::vector<KeySummary*> stages;
  std::vector<StageLoad> loads;
  for (KeySummary& key : summary.keys) {
    if (key.role != "pipeline" && key.items > 0) {
      stages.push_back(&key);
      loads.push_back({.worker = key.worker,
                       .blocked = key.blocked,
                       .busy_s = key.busy_s,
                       .working_s = key.working * key.active_s,
                       .active_s = key.active_s,
                       .items = key.items,
                       .slowest_s = key.max_s});
    }
  }
  const auto found = find_bottleneck(loads);
  if (!found) {
    return;
  }
  const auto [at, blocked_before] = *found;
  KeySummary& key = *stages[at];
  key.bottleneck = true;
  const bool waiting_behind =
      std::any_of(stages.begin() + static_cast<std::ptrdiff_t>(at), stages.end(),
                  [&](const KeySummary* k) { return k->worker != key.worker && k->waiting > kClearly; });
  summary.bottleneck = key.key + ": its worker works " + base::percent_text(key.working, 0) + " of the time";
  if (key.restarts > 0) {
    summary.bottleneck += " and was restarted " + base::count_text(key.restarts, "time");
  }
  if (blocked_before || waiting_behind) {
    summary.bottleneck += std::string(", ") + (blocked_before ? "stages before it are blocked" : "") +
                          (blocked_before && waiting_behind ? " and " : "") +
                          (waiting_behind ? "stages behind it wait for input" : "");
  }
}

}  // namespace

RunSummary read_summary(Database& database, std::int64_t run) {
  RunSummary summary;
  {
    Statement statement(database,
                        "SELECT name, host, outcome, reason, started, coalesce(ended, 0) - started, "
                        "(SELECT count(*) FROM dead_letters WHERE run = runs.id) FROM runs WHERE id = ?");
    statement.bind(1, run);
    if (!statement.step()) {
      throw ProfilingError("there is no run " + std::to_string(run) + " in " + database.path().string());
    }
    summary = {.run = run,
               .name = statement.text(0),
               .host = statement.text(1),
               .outcome = statement.text(2),
               .reason = statement.text(3),
               .started = statement.real(4),
               .duration_s = std::max(statement.real(5), 0.0),
               .dead_letters = statement.number(6),
               .keys = {},
               .bottleneck = {}};
  }
  std::map<std::int64_t, std::uint64_t> dropped;  // by consumer
  {
    Statement statement(database, "SELECT consumer, sum(dropped) FROM links WHERE run = ? GROUP BY consumer");
    statement.bind(1, run);
    while (statement.step()) {
      dropped[statement.integer(0)] = statement.number(1);
    }
  }
  Statement statement(database,
                      "SELECT id, key, role, worker_name, items, errors, timed, timed_ns, total_ns, min_ns, max_ns, "
                      "first_end_ns, last_end_ns, waiting_ns, working_ns, blocked_ns, restarts, rows, sampled_shift, "
                      "rows_lost, worker, samples FROM stages WHERE run = ? ORDER BY position");
  statement.bind(1, run);
  while (statement.step()) {
    KeySummary key{.key = statement.text(1), .role = statement.text(2), .worker = statement.text(3)};
    const bool derived = statement.is_null(20);
    const auto value = [&](int column) { return static_cast<double>(statement.integer(column)); };
    key.items = statement.number(4);
    key.errors = statement.number(5);
    key.samples = statement.number(21);
    key.busy_s = value(8) * kNs;
    const bool pipeline = key.role == "pipeline";
    // Version 1 of the schema had no total time of pipelines.
    const bool by_samples = pipeline && value(8) == 0;
    key.mean_s = by_samples ? ratio(value(7), value(6)) * kNs : ratio(value(8), value(4)) * kNs;
    key.min_s = value(9) * kNs;
    key.max_s = value(10) * kNs;
    key.items_per_s = items_per_second(key.items, (value(12) - value(11)) * kNs);
    if (!pipeline) {
      const double all = value(13) + value(14) + value(15);
      key.active_s = all * kNs;
      key.waiting = ratio(value(13), all);
      key.working = ratio(value(14), all);
      key.blocked = ratio(value(15), all);
      key.restarts = static_cast<std::uint32_t>(statement.integer(16));
    }
    key.rows = statement.number(17);
    key.one_row_in = std::uint64_t{1} << std::min<std::int64_t>(statement.integer(18), 62);
    key.rows_lost = pipeline ? 0 : statement.number(19);
    if (const auto drops = dropped.find(statement.integer(20)); !pipeline && drops != dropped.end()) {
      key.dropped = std::exchange(drops->second, 0);  // the first stage of the worker
    }
    if (derived) {
      add_passages(key, read_passages(database, statement.integer(0)));
    } else {
      add_percentiles(key, histogram_of(database, statement.integer(0)), statement.number(10));
      key.rank_error = rank_error(key, static_cast<double>(key.samples));
    }
    summary.keys.push_back(std::move(key));
  }
  name_bottleneck(summary);
  return summary;
}

std::int64_t find_run(Database& database, const std::string& which, bool unprofiled) {
  const bool from_last = which == "last" || which.starts_with("last-");
  std::string_view digits = which;
  digits.remove_prefix(from_last ? std::min<std::size_t>(which.size(), 5) : 0);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool valid = error == std::errc() && end == digits.data() + digits.size() && !digits.starts_with('-');
  if (which != "last" && (!valid || (number == 0 && !from_last))) {
    throw ProfilingError("\"" + which + "\" names no run; expected a number, last or last-1");
  }
  const std::string chosen = from_last ? (unprofiled ? "" : "WHERE outcome <> 'unprofiled' ") +
                                             std::string("ORDER BY id DESC LIMIT 1 OFFSET ") + std::to_string(number)
                                       : "WHERE id = " + std::to_string(number);
  if (const auto run = database.query_integer("SELECT id FROM runs " + chosen)) {
    return *run;
  }
  const std::string file = database.path().string();
  throw ProfilingError(!from_last    ? "there is no run " + which + " in " + file + "; see pystream-coord runs"
                       : number == 0 ? file + " holds no runs yet"
                                     : file + " holds not so many runs");
}

Database open_for_reading(const std::filesystem::path& folder) {
  const std::filesystem::path path = database_in(folder);
  if (!std::filesystem::exists(path)) {
    throw ProfilingError("there is no profile database at " + path.string() +
                         "; run a pipeline with its profiler enabled first");
  }
  Database database(path, Database::Mode::read);
  require_known_version(database);
  if (database.query_integer("PRAGMA user_version").value_or(0) == 0) {  // its maker died before its first commit
    throw ProfilingError("the profile database " + path.string() +
                         " holds no run; run a pipeline with its profiler enabled first");
  }
  return database;
}

}  // namespace pystream::profile
