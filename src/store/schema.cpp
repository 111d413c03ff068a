#include "store/schema.hpp"

#include <unistd.h>

#include <array>
#include <vector>

namespace pystream::store {
namespace {

constexpr const char* kTables = R"sql(
CREATE TABLE runs(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,            -- of the pipeline
  plan TEXT NOT NULL,            -- JSON
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,          -- of the coordinator
  version TEXT NOT NULL,         -- of pystream
  started REAL NOT NULL,         -- Unix time in seconds
  ended REAL,                    -- NULL: runs still
  outcome TEXT NOT NULL,         -- running, done, failed, interrupted, lost; unprofiled: has only dead letters
  reason TEXT NOT NULL DEFAULT '',
  start_ns INTEGER NOT NULL,     -- CLOCK_MONOTONIC at the start: all times of the run in ns count from here
  window_ns INTEGER NOT NULL     -- length of a window
);
CREATE TABLE stages(
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs(id),
  position INTEGER NOT NULL,
  key TEXT NOT NULL,             -- MainPipeline__Child__Stage
  role TEXT NOT NULL,            -- source, stage, sink, pipeline
  worker INTEGER,                -- its process, as a number; NULL: a pipeline inside another
  worker_name TEXT NOT NULL DEFAULT '',
  first_stage INTEGER, last_stage INTEGER, before_stage INTEGER,  -- of a pipeline inside another: stages.id
  items INTEGER NOT NULL DEFAULT 0,      -- exact
  samples INTEGER NOT NULL DEFAULT 0,    -- items that were timed one by one
  errors INTEGER NOT NULL DEFAULT 0,
  timed INTEGER NOT NULL DEFAULT 0,      -- items that the samples and the histogram stand for
  timed_ns INTEGER NOT NULL DEFAULT 0,
  total_ns INTEGER NOT NULL DEFAULT 0,   -- time spent on all items; of a pipeline from entrance to exit
  min_ns INTEGER NOT NULL DEFAULT 0,
  max_ns INTEGER NOT NULL DEFAULT 0,
  first_end_ns INTEGER NOT NULL DEFAULT 0,
  last_end_ns INTEGER NOT NULL DEFAULT 0,
  waiting_ns INTEGER NOT NULL DEFAULT 0, -- of its worker: for input
  working_ns INTEGER NOT NULL DEFAULT 0,
  blocked_ns INTEGER NOT NULL DEFAULT 0, -- on a full output link
  restarts INTEGER NOT NULL DEFAULT 0,
  rows INTEGER NOT NULL DEFAULT 0,       -- in `items`
  rows_lost INTEGER NOT NULL DEFAULT 0,  -- of its worker: the database could not take them
  sampled_shift INTEGER NOT NULL DEFAULT 0,  -- at least: one item in 2^sampled_shift has a row
  UNIQUE(run, position)
);
CREATE TABLE items(              -- one item in one stage, or its way through a pipeline
  stage INTEGER NOT NULL,        -- stages.id
  sequence INTEGER NOT NULL,     -- number given at the pipeline's entrance
  input INTEGER NOT NULL,        -- number on the stage's input link
  start_ns INTEGER NOT NULL,     -- since the start of the run
  end_ns INTEGER NOT NULL,
  PRIMARY KEY(stage, sequence, input)
) WITHOUT ROWID;
CREATE TABLE windows(
  stage INTEGER NOT NULL,
  window INTEGER NOT NULL,       -- times window_ns: begin since the start of the run
  span_ns INTEGER NOT NULL,      -- what it covers; more than window_ns if the database could not take it earlier
  items INTEGER NOT NULL, samples INTEGER NOT NULL, errors INTEGER NOT NULL,
  timed INTEGER NOT NULL, timed_ns INTEGER NOT NULL, total_ns INTEGER NOT NULL,
  min_ns INTEGER NOT NULL, max_ns INTEGER NOT NULL,
  waiting_ns INTEGER NOT NULL, working_ns INTEGER NOT NULL, blocked_ns INTEGER NOT NULL,
  histogram BLOB NOT NULL,       -- pairs of little-endian 32-bit numbers: bucket, items
  PRIMARY KEY(stage, window)
) WITHOUT ROWID;
CREATE TABLE histograms(         -- of a whole run; values from low_ns up to below high_ns
  stage INTEGER NOT NULL,
  low_ns INTEGER NOT NULL,
  high_ns INTEGER NOT NULL,
  items INTEGER NOT NULL,
  PRIMARY KEY(stage, low_ns)
) WITHOUT ROWID;
CREATE TABLE links(
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs(id),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,            -- Producer -> Consumer
  producer INTEGER NOT NULL, consumer INTEGER NOT NULL,  -- workers
  overflow TEXT NOT NULL,
  capacity_bytes INTEGER NOT NULL,
  items INTEGER NOT NULL DEFAULT 0,
  dropped INTEGER NOT NULL DEFAULT 0,
  UNIQUE(run, position)
);
CREATE TABLE link_windows(
  link INTEGER NOT NULL,
  window INTEGER NOT NULL,
  items INTEGER NOT NULL,        -- that came out
  dropped INTEGER NOT NULL,
  fill_items REAL NOT NULL,      -- mean of some looks a second
  fill_bytes REAL NOT NULL,
  largest_fill_bytes INTEGER NOT NULL,
  fill REAL NOT NULL DEFAULT 0,          -- mean share of the limit that would hold the producer up, 0 to 1
  oldest_ns INTEGER NOT NULL DEFAULT 0,  -- largest age of the oldest item in the link
  PRIMARY KEY(link, window)
) WITHOUT ROWID;
CREATE TABLE events(
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs(id),
  time_ns INTEGER NOT NULL,      -- since the start of the run
  kind TEXT NOT NULL,            -- start, ready, crash, restart, dead_letter, report, end
  worker TEXT NOT NULL,
  signal INTEGER NOT NULL,
  code INTEGER NOT NULL,
  sequence INTEGER,
  text TEXT NOT NULL
);
CREATE INDEX events_of_run ON events(run);
CREATE TABLE row_cursors(        -- rows of a worker that are in `items`, written together with them
  run INTEGER NOT NULL, worker INTEGER NOT NULL, rows INTEGER NOT NULL,
  PRIMARY KEY(run, worker)
) WITHOUT ROWID;
CREATE TABLE dead_letters(
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL,
  time REAL NOT NULL,            -- Unix time in seconds
  stage TEXT NOT NULL,           -- key
  sequence INTEGER NOT NULL,
  input INTEGER NOT NULL,        -- its number on the stage's input link
  part INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  reason TEXT NOT NULL,
  signal INTEGER NOT NULL DEFAULT 0,
  stack TEXT NOT NULL DEFAULT '',
  size INTEGER NOT NULL,         -- bytes of the item
  bytes BLOB,                    -- NULL: in `file`, beside the database
  file TEXT NOT NULL DEFAULT '',
  UNIQUE(run, stage, input)
);
)sql";

constexpr const char* kViews = R"sql(
DROP VIEW IF EXISTS RunSummary;
CREATE VIEW RunSummary AS
SELECT runs.id AS run, runs.name, runs.host, datetime(runs.started, 'unixepoch') AS started,
       runs.ended - runs.started AS duration_s, runs.outcome, runs.reason,
       main.items AS items,
       (main.items - 1) / nullif((main.last_end_ns - main.first_end_ns) * 1e-9, 0) AS items_per_s,
       (SELECT sum(errors) FROM stages WHERE stages.run = runs.id) AS errors,
       (SELECT sum(restarts) FROM (SELECT max(restarts) AS restarts FROM stages WHERE stages.run = runs.id
                                   AND worker IS NOT NULL GROUP BY worker)) AS restarts,
       (SELECT sum(dropped) FROM links WHERE links.run = runs.id) AS dropped,
       (SELECT count(*) FROM dead_letters WHERE dead_letters.run = runs.id) AS dead_letters,
       (SELECT sum(rows_lost) FROM (SELECT max(rows_lost) AS rows_lost FROM stages WHERE stages.run = runs.id
                                    AND worker IS NOT NULL GROUP BY worker)) AS rows_lost
FROM runs LEFT JOIN stages AS main ON main.run = runs.id AND main.key = 'MainPipeline';

DROP VIEW IF EXISTS StageSummary;
CREATE VIEW StageSummary AS
SELECT run, key, role, items, errors,
       CASE WHEN role = 'pipeline' AND total_ns = 0 THEN timed_ns * 1e-9 / nullif(timed, 0)
            ELSE total_ns * 1e-9 / nullif(items, 0) END AS mean_s,
       min_ns * 1e-9 AS min_s, max_ns * 1e-9 AS max_s,
       (items - 1) / nullif((last_end_ns - first_end_ns) * 1e-9, 0) AS items_per_s,
       1.0 * waiting_ns / nullif(waiting_ns + working_ns + blocked_ns, 0) AS waiting,
       1.0 * working_ns / nullif(waiting_ns + working_ns + blocked_ns, 0) AS working,
       1.0 * blocked_ns / nullif(waiting_ns + working_ns + blocked_ns, 0) AS blocked,
       restarts, rows, 1 << sampled_shift AS one_row_in, rows_lost
FROM stages ORDER BY run, position;

DROP VIEW IF EXISTS StagePercentiles;
CREATE VIEW StagePercentiles AS
WITH ranked AS (
  SELECT stage, (low_ns + high_ns) * 0.5e-9 AS value_s,
         1.0 * sum(items) OVER (PARTITION BY stage ORDER BY low_ns) / sum(items) OVER (PARTITION BY stage) AS share
  FROM histograms WHERE items > 0)
SELECT stages.run, stages.key,
       min(CASE WHEN share >= 0.5 THEN value_s END) AS p50_s,
       min(CASE WHEN share >= 0.9 THEN value_s END) AS p90_s,
       min(CASE WHEN share >= 0.99 THEN value_s END) AS p99_s,
       min(CASE WHEN share >= 0.999 THEN value_s END) AS p999_s,
       stages.max_ns * 1e-9 AS max_s, stages.samples
FROM ranked JOIN stages ON stages.id = ranked.stage
GROUP BY ranked.stage ORDER BY stages.run, stages.position;

DROP VIEW IF EXISTS ItemRows;
CREATE VIEW ItemRows AS
SELECT stages.run, stages.key, items.sequence, items.input, items.start_ns * 1e-9 AS start_s,
       items.end_ns * 1e-9 AS end_s, (items.end_ns - items.start_ns) * 1e-9 AS latency_s
FROM items JOIN stages ON stages.id = items.stage;
)sql";

/// Version 3: a link may have several consumers; `links` names the first.
constexpr const char* kLinkConsumers = R"sql(
CREATE TABLE IF NOT EXISTS link_consumers(
  link INTEGER NOT NULL,         -- links.id
  consumer INTEGER NOT NULL,     -- worker
  PRIMARY KEY(link, consumer)
) WITHOUT ROWID;
)sql";

/// Version 4: windows put together, so that a chart of a day need not read a day of windows.
constexpr const char* kMinutes = R"sql(
CREATE TABLE IF NOT EXISTS minutes(
  stage INTEGER NOT NULL,
  minute INTEGER NOT NULL,       -- of sixty windows, since the start of the run
  span_ns INTEGER NOT NULL,      -- what it covers
  items INTEGER NOT NULL, errors INTEGER NOT NULL,
  total_ns INTEGER NOT NULL, max_ns INTEGER NOT NULL,
  waiting_ns INTEGER NOT NULL, working_ns INTEGER NOT NULL, blocked_ns INTEGER NOT NULL,
  PRIMARY KEY(stage, minute)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS link_minutes(
  link INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  windows INTEGER NOT NULL,      -- that the means are of
  items INTEGER NOT NULL,
  dropped INTEGER NOT NULL,
  fill_items REAL NOT NULL,
  fill REAL NOT NULL,
  oldest_ns INTEGER NOT NULL,    -- the largest
  PRIMARY KEY(link, minute)
) WITHOUT ROWID;
)sql";

/// SQLite allows 2000 columns, and a table of more is of no use to anybody.
constexpr std::size_t kMostColumns = 1000;

struct Column {
  std::int64_t id = 0;
  std::string key;
  bool derived = false;
  std::int64_t first = 0, last = 0, before = 0;
};

std::vector<Column> columns_of(Database& database, std::int64_t run) {
  Statement statement(database,
                      "SELECT id, key, worker IS NULL, first_stage, last_stage, before_stage FROM stages "
                      "WHERE run = ? ORDER BY position");
  statement.bind(1, run);
  std::vector<Column> columns;
  while (statement.step() && columns.size() < kMostColumns) {
    columns.push_back({.id = statement.integer(0),
                       .key = statement.text(1),
                       .derived = statement.integer(2) != 0,
                       .first = statement.integer(3),
                       .last = statement.integer(4),
                       .before = statement.integer(5)});
  }
  statement.reset();
  return columns;
}

std::string when(const char* function, std::int64_t stage, const char* value) {
  return std::string(function) + "(CASE stage WHEN " + std::to_string(stage) + " THEN " + value + " END)";
}

std::string end_of(const Column& column) {
  return when("max", column.derived ? column.last : column.id, "end_ns");
}

std::string latency_of(const Column& column) {
  if (!column.derived) {
    return "1e-9 * " + when("sum", column.id, "end_ns - start_ns");
  }
  const std::string begin =
      column.before != 0 ? when("max", column.before, "end_ns") : when("min", column.first, "start_ns");
  return "1e-9 * (" + end_of(column) + " - " + begin + ")";
}

void refuse(Database& database, const std::string& why) {
  throw ProfilingError(database.path().string() + " " + why);
}

}  // namespace

void require_known_version(Database& database) {
  const std::int64_t version = database.query_integer("PRAGMA user_version").value_or(0);
  const std::int64_t application = database.query_integer("PRAGMA application_id").value_or(0);
  const bool empty = database.query_integer("SELECT count(*) FROM sqlite_master").value_or(0) == 0;
  if (!empty && application != kApplicationId) {
    refuse(database, "is no profile database; choose another profiler folder");
  }
  if (version > kSchemaVersion) {
    refuse(database, "has schema version " + std::to_string(version) + ", and this program knows versions up to " +
                         std::to_string(kSchemaVersion) + "; use a newer pystream or another profiler folder");
  }
}

void migrate(Database& database) {
  require_known_version(database);
  database.execute("PRAGMA journal_mode=WAL");
  const std::int64_t version = database.query_integer("PRAGMA user_version").value_or(0);
  if (version == kSchemaVersion) {
    return;
  }
  // From 1 to 2: pipelines have a total_ns, which the views use. Rows of older runs stay as they are.
  Transaction transaction(database);
  if (version < 1) {
    database.execute(kTables);
  } else if (version < kLinkFillVersion) {
    database.execute(
        "ALTER TABLE link_windows ADD COLUMN fill REAL NOT NULL DEFAULT 0; "
        "ALTER TABLE link_windows ADD COLUMN oldest_ns INTEGER NOT NULL DEFAULT 0; "
        "UPDATE link_windows SET fill = fill_bytes / max((SELECT capacity_bytes FROM links WHERE id = link), 1)");
  }
  if (version < 3) {
    database.execute(kLinkConsumers);
  }
  if (version < kMinutesVersion) {
    database.execute(kMinutes);
  }
  database.execute(kViews);
  database.execute("PRAGMA user_version=" + std::to_string(kSchemaVersion) +
                   "; PRAGMA application_id=" + std::to_string(kApplicationId));
  transaction.commit();
}

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::filesystem::path with_folder(const std::filesystem::path& database) {
  std::error_code error;
  std::filesystem::create_directories(database.parent_path(), error);
  if (error) {
    throw ProfilingError("cannot make the folder " + database.parent_path().string() + " for profiles: " +
                         error.message() + "; PYSTREAM_PROFILES, or profiler.folder in the plan, names another");
  }
  return database;
}

std::optional<std::int64_t> run_of(Database& database, std::uint64_t coordinator_pid, double started) {
  Statement statement(database, "SELECT id FROM runs WHERE pid = ? AND started = ?");
  statement.bind(1, coordinator_pid).bind(2, started);
  return statement.step() ? std::optional(statement.integer(0)) : std::nullopt;
}

void show_run_in_views(Database& database, std::int64_t run) {
  const std::vector<Column> columns = columns_of(database, run);
  std::string stages;
  std::string latency = "SELECT sequence AS data_num";
  std::string ends = "SELECT sequence";
  std::string throughput = "SELECT sequence AS data_num";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string name = "\"" + columns[i].key + "\"";
    const std::string end = "end_" + std::to_string(i);
    if (!columns[i].derived) {
      stages += (stages.empty() ? "" : ",") + std::to_string(columns[i].id);
    }
    latency += ",\n  " + latency_of(columns[i]) + " AS " + name;
    ends += ", " + end_of(columns[i]) + " AS " + end;
    throughput += ",\n  1e9 * (sequence - lag(sequence) OVER by_sequence) / nullif(" + end + " - lag(" + end +
                  ") OVER by_sequence, 0) AS " + name;
  }
  const std::string from = "\nFROM items WHERE stage IN (" + stages + ") GROUP BY sequence";
  database.execute("DROP VIEW IF EXISTS Latency; CREATE VIEW Latency AS\n" + latency + from);
  database.execute("DROP VIEW IF EXISTS Throughput; CREATE VIEW Throughput AS\n" + throughput + "\nFROM (" + ends +
                   from + ") WINDOW by_sequence AS (ORDER BY sequence)");
}

}  // namespace pystream::store
