#include "store/stored_summary.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <thread>

#include "base/number_text.hpp"
#include "profile/home.hpp"
#include "profile/replica_advice.hpp"
#include "profile/replica_sums.hpp"
#include "store/figure_columns.hpp"
#include "store/schema.hpp"
#include "store/series.hpp"
#include "store/windows.hpp"

namespace pystream::store {
namespace {

constexpr double kNs = 1e-9;

/// How long single items took through a pipeline inside another.
void add_passages(profile::KeySummary& key, const std::vector<Passage>& passages) {
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
  key.rank_error = profile::rank_error(key, sum * sum / squares);
  key.min_s = static_cast<double>(smallest) * kNs;
  key.max_s = static_cast<double>(largest) * kNs;
  profile::set_percentiles(key, histogram, largest);
}

void name_bottleneck(profile::RunSummary& summary, std::span<const profile::WorkerLink> links) {
  const auto limiting = profile::mark_bottleneck(summary.keys, links);
  if (!limiting) {
    return;
  }
  const auto [at, blocked_before, waiting_behind] = *limiting;
  const profile::KeySummary& key = *at;
  summary.bottleneck = key.key + ": its worker works " + base::percent_text(key.working, 0) + " of the time";
  if (key.restarts > 0) {
    summary.bottleneck += " and was restarted " + base::count_text(key.restarts, "time");
  }
  if (blocked_before || waiting_behind) {
    summary.bottleneck += std::string(", ") + (blocked_before ? "stages before it are blocked" : "") +
                          (blocked_before && waiting_behind ? " and " : "") +
                          (waiting_behind ? "stages behind it wait for input" : "");
  }
  summary.bottleneck +=
      profile::advice_text(profile::advise_replicas(summary.keys, std::thread::hardware_concurrency()));
}

/// `names`: of the workers, by their number.
std::vector<profile::WorkerLink> read_links(Database& database, std::int64_t run,
                                            const std::map<std::int64_t, std::string>& names) {
  const auto name_of = [&](std::int64_t worker) {
    const auto found = names.find(worker);
    return found != names.end() ? found->second : std::to_string(worker);  // it has no stages
  };
  const bool several = database.query_integer("PRAGMA user_version").value_or(0) >= 3;
  Statement statement(database, several ? "SELECT producer, link_consumers.consumer FROM links JOIN link_consumers "
                                          "ON link = links.id WHERE run = ? ORDER BY position, link_consumers.consumer"
                                        : "SELECT producer, consumer FROM links WHERE run = ? ORDER BY position");
  statement.bind(1, run);
  std::vector<profile::WorkerLink> links;
  while (statement.step()) {
    links.push_back({.producer = name_of(statement.integer(0)), .consumer = name_of(statement.integer(1))});
  }
  return links;
}

/// What the database has of the links that a worker reads.
struct InputLink {
  std::uint64_t dropped = 0;
  double fill = 0;
  double items = 0;  ///< in it, on average
  double oldest_s = 0;
};

/// By consumer.
std::map<std::int64_t, InputLink> read_inputs(Database& database, std::int64_t run) {
  const std::int64_t version = database.query_integer("PRAGMA user_version").value_or(0);
  const std::int64_t rolled = version >= kMinutesVersion ? rolled_up_until(database, run) * kWindowsInMinute : 0;
  const bool old = version < kLinkFillVersion;
  // Minutes as far as there are any: a day of windows would take seconds.
  const std::string rows =
      "SELECT 1.0 AS windows, fill_items, " +
      std::string(old ? "fill_bytes / max(capacity_bytes, 1) AS fill, 0 AS oldest_ns" : "fill, oldest_ns") +
      " FROM link_windows WHERE link = links.id AND window >= " + std::to_string(rolled) +
      (rolled > 0 ? " UNION ALL SELECT windows, fill_items, fill, oldest_ns FROM link_minutes WHERE link = links.id"
                  : "");
  const auto mean = [&](const char* column) {
    return "(SELECT sum(windows * " + std::string(column) + ") / sum(windows) FROM (" + rows + "))";
  };
  Statement statement(database, "SELECT consumer, dropped, " + mean("fill") + ", " + mean("fill_items") +
                                    ", (SELECT max(oldest_ns) FROM (" + rows + ")) * 1e-9 FROM links WHERE run = ?");
  statement.bind(1, run);
  std::map<std::int64_t, InputLink> inputs;
  while (statement.step()) {
    InputLink& input = inputs[statement.integer(0)];
    input.dropped += statement.number(1);
    input.fill = std::max(input.fill, statement.real(2));
    input.items = std::max(input.items, statement.real(3));
    input.oldest_s = std::max(input.oldest_s, statement.real(4));
  }
  return inputs;
}

void add_input(profile::KeySummary& key, const InputLink& input) {
  key.has_link = true;
  key.dropped = input.dropped;
  key.fill = input.fill;
  key.queueing_s = key.items_per_s > 0 ? input.items / key.items_per_s : 0;
  key.oldest_s = input.oldest_s;
}

}  // namespace

profile::RunSummary read_summary(Database& database, std::int64_t run) {
  profile::RunSummary summary;
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
  std::map<std::int64_t, InputLink> inputs = read_inputs(database, run);
  std::map<std::int64_t, std::string> workers;
  std::vector<profile::Figures> all;
  Statement row(database, std::string("SELECT id, key, role, worker_name, worker, first_end_ns, last_end_ns, restarts, "
                                      "rows, sampled_shift, rows_lost, ") +
                              kFigureColumns + " FROM stages WHERE run = ? ORDER BY position");
  row.bind(1, run);
  while (row.step()) {
    const std::int64_t id = row.integer(0);
    const bool pipeline = row.text(2) == "pipeline";
    const bool derived = row.is_null(4);
    profile::Figures figures = figures_in(row, 11);
    figures.first_end_ns = row.integer(5);
    figures.last_end_ns = row.integer(6);
    if (pipeline) {
      figures.waiting_ns = figures.working_ns = figures.blocked_ns = 0;  // those of a worker
    } else {
      figures.rows_lost = row.number(10);
    }
    if (!derived) {
      workers[row.integer(4)] = row.text(3);
      figures.histogram = read_histogram(database, id);
    }
    profile::KeySummary key = profile::summary_of(figures);
    key.key = row.text(1);
    key.role = row.text(2);
    key.worker = row.text(3);
    if (pipeline && figures.total_ns == 0 && figures.timed > 0) {  // version 1 of the schema had no total of pipelines
      key.mean_s = static_cast<double>(figures.timed_ns) / static_cast<double>(figures.timed) * kNs;
    }
    if (!pipeline) {
      key.restarts = static_cast<std::uint32_t>(row.integer(7));
    }
    key.rows = row.number(8);
    key.one_row_in = std::uint64_t{1} << std::min<std::int64_t>(row.integer(9), 62);
    if (const auto input = inputs.find(row.integer(4)); !pipeline && input != inputs.end()) {
      add_input(key, input->second);
      inputs.erase(input);  // it is that of the first stage of the worker
    }
    if (derived) {
      add_passages(key, read_passages(database, id));
    }
    all.push_back(std::move(figures));
    summary.keys.push_back(std::move(key));
  }
  name_bottleneck(summary, read_links(database, run, workers));
  summary.keys = profile::with_replica_sums(std::move(summary.keys), all);
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
  const std::filesystem::path path = profile::database_in(folder);
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

}  // namespace pystream::store
