#include "store/run_store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>

#include "base/unique_fd.hpp"
#include "store/figure_columns.hpp"
#include "store/schema.hpp"
#include "store/series.hpp"
#include "store/windows.hpp"

namespace pystream::store {
namespace {

constexpr std::uintmax_t kLongLog = 4 << 20;
constexpr int kBeginPatienceMs = 500;
constexpr int kPatienceMs = 200;

double unix_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Pairs of 32-bit numbers, as the schema says.
std::vector<std::uint32_t> sparse(const std::vector<std::uint64_t>& histogram) {
  std::vector<std::uint32_t> pairs;
  for (std::size_t i = 0; i < histogram.size(); ++i) {
    if (histogram[i] > 0) {
      pairs.push_back(static_cast<std::uint32_t>(i));
      pairs.push_back(static_cast<std::uint32_t>(std::min<std::uint64_t>(histogram[i], 0xffffffff)));
    }
  }
  return pairs;
}

}  // namespace

RunStore::RunStore(profile::RunInfo info, std::vector<std::uint64_t> ring_bytes)
    : info_(std::move(info)),
      ring_bytes_(std::move(ring_bytes)),
      keys_(profile::profile_keys(info_.topology)),
      lock_(with_folder(info_.database)) {}

std::int64_t RunStore::begin() {
  database_.reset();
  std::filesystem::create_directories(info_.database.parent_path());
  database_ = std::make_unique<Database>(info_.database, Database::Mode::create);
  database_->set_patience(kBeginPatienceMs);  // somebody's query or script may hold it for a moment
  migrate(*database_);
  Transaction transaction(*database_);
  if (!find_run()) {
    if (run_ == 0) {
      mark_lost_runs();
    }
    write_run();
    write_stages();
    write_links();
    show_run_in_views(*database_, run_);
  }
  transaction.commit();
  database_->set_patience(kPatienceMs);
  return run_;
}

void RunStore::write_run() {
  Statement statement(*database_,
                      "INSERT INTO runs(id, name, plan, host, pid, version, started, outcome, start_ns, window_ns) "
                      "VALUES(?, ?, ?, ?, ?, ?, ?, 'running', ?, ?)");
  if (run_ == 0) {
    statement.bind_null(1);
  } else {
    statement.bind(1, run_);
  }
  statement.bind(2, info_.name)
      .bind(3, info_.plan)
      .bind(4, host_name())
      .bind(5, info_.coordinator_pid)
      .bind(6, info_.version)
      .bind(7, info_.started)
      .bind(8, info_.start_ns)
      .bind(9, shm::kWindowNs)
      .run();
  run_ = database_->last_id();
}

void RunStore::write_stages() {
  stage_ids_.clear();
  Statement statement(*database_,
                      "INSERT INTO stages(run, position, key, role, worker, worker_name) VALUES(?, ?, ?, ?, ?, ?)");
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const profile::ProfileKey& key = keys_[i];
    statement.bind(1, run_).bind(2, i).bind(3, key.key).bind(4, key.role ? plan::to_string(*key.role) : "pipeline");
    if (key.derived()) {
      statement.bind_null(5).bind(6, "");
    } else {
      statement.bind(5, key.worker).bind(6, info_.topology.workers.at(key.worker).name);
    }
    statement.run();
    stage_ids_.push_back(database_->last_id());
  }
  Statement members(*database_, "UPDATE stages SET first_stage = ?, last_stage = ?, before_stage = ? WHERE id = ?");
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const profile::ProfileKey& key = keys_[i];
    if (key.derived()) {
      members.bind(1, stage_ids_.at(key.first))
          .bind(2, stage_ids_.at(key.last.groups.back().back()))
          .bind(4, stage_ids_[i]);
      if (!key.before.groups.empty()) {
        members.bind(3, stage_ids_.at(key.before.groups.front().front()));
      } else {
        members.bind_null(3);
      }
      members.run();
    }
  }
}

void RunStore::write_links() {
  link_ids_.clear();
  Statement statement(*database_,
                      "INSERT INTO links(run, position, name, producer, consumer, overflow, capacity_bytes) "
                      "VALUES(?, ?, ?, ?, ?, ?, ?)");
  Statement consumers(*database_, "INSERT OR IGNORE INTO link_consumers(link, consumer) VALUES(?, ?)");
  ring_bytes_.resize(info_.topology.links.size());
  for (std::size_t i = 0; i < info_.topology.item_links().size(); ++i) {
    const plan::LinkSpec& link = info_.topology.links[i];
    statement.bind(1, run_).bind(2, i).bind(3, link.name).bind(4, link.producer.worker);
    statement.bind(5, link.consumers.front().worker).bind(6, plan::to_string(link.options.overflow));
    statement.bind(7, ring_bytes_[i]).run();
    link_ids_.push_back(database_->last_id());
    for (const plan::SegmentRef consumer : link.consumers) {
      consumers.bind(1, link_ids_.back()).bind(2, consumer.worker).run();
    }
  }
}

/// Marks the runs whose coordinator died before it could record their end.
void RunStore::mark_lost_runs() {
  Statement running(*database_, "SELECT id, pid FROM runs WHERE outcome = 'running' AND host = ?");
  running.bind(1, host_name());
  std::vector<std::int64_t> lost;
  while (running.step()) {
    if (::kill(static_cast<pid_t>(running.integer(1)), 0) != 0 && errno == ESRCH) {
      lost.push_back(running.integer(0));
    }
  }
  Statement mark(*database_, "UPDATE runs SET outcome = 'lost' WHERE id = ?");
  for (const std::int64_t run : lost) {
    mark.bind(1, run).run();
  }
}

void RunStore::write_windows(std::uint64_t number, std::int64_t span_ns, std::map<std::size_t, KeyWindow> keys,
                             const std::vector<LinkWindow>& links) {
  Statement window(*database_, std::string("INSERT OR REPLACE INTO windows(stage, window, span_ns, ") + kFigureColumns +
                                   ", histogram) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
  Statement total(*database_, std::string("UPDATE stages SET (") + kFigureColumns +
                                  ", first_end_ns, last_end_ns, rows_lost) = (?,?,?,?,?,?,?,?,?,?,?,?,?,?) WHERE id=?");
  Statement bucket(*database_,
                   "INSERT INTO histograms(stage, low_ns, high_ns, items) VALUES(?, ?, ?, ?) "
                   "ON CONFLICT(stage, low_ns) DO UPDATE SET items = excluded.items");
  for (auto& [index, key] : keys) {
    const std::int64_t stage = stage_ids_.at(index);
    const std::vector<std::uint64_t> added = key.window.histogram;
    const std::int64_t standing_ns = add_standing_window(index, number, key.window);
    const std::vector<std::uint32_t> pairs = sparse(key.window.histogram);
    window.bind(1, stage).bind(2, number).bind(3, standing_ns + span_ns);
    bind_figures(window, 4, key.window);
    window.bind_blob(15, std::as_bytes(std::span(pairs))).run();
    bind_figures(total, 1, key.total);
    const auto since_start = [&](std::int64_t ns) { return ns != 0 ? ns - info_.start_ns : 0; };
    total.bind(12, since_start(key.total.first_end_ns)).bind(13, since_start(key.total.last_end_ns));
    total.bind(14, key.total.rows_lost).bind(15, stage).run();
    for (std::size_t i = 0; i < key.total.histogram.size(); ++i) {
      if (added[i] > 0) {
        bucket.bind(1, stage).bind(2, shm::bucket_low(i)).bind(3, shm::bucket_low(i + 1));
        bucket.bind(4, key.total.histogram[i]).run();
      }
    }
  }
  Statement link(
      *database_,
      "INSERT INTO link_windows(link, window, items, dropped, fill_items, fill_bytes, largest_fill_bytes, fill, "
      "oldest_ns) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(link, window) DO UPDATE SET "
      "items = items + excluded.items, dropped = dropped + excluded.dropped, fill_items = excluded.fill_items, "
      "fill_bytes = excluded.fill_bytes, fill = excluded.fill, oldest_ns = max(oldest_ns, excluded.oldest_ns), "
      "largest_fill_bytes = max(largest_fill_bytes, excluded.largest_fill_bytes)");
  Statement link_total(*database_, "UPDATE links SET items = ?, dropped = ? WHERE id = ?");
  for (std::size_t i = 0; i < links.size(); ++i) {
    const LinkWindow& figures = links[i];
    link.bind(1, link_ids_.at(i)).bind(2, number).bind(3, figures.items).bind(4, figures.dropped);
    link.bind(5, figures.fill_items).bind(6, figures.fill_bytes).bind(7, figures.largest_fill_bytes);
    link.bind(8, figures.fill).bind(9, figures.oldest_ns).run();
    link_total.bind(1, figures.total.items).bind(2, figures.total.dropped).bind(3, link_ids_[i]).run();
  }
  // Asked of the database, as what was put together last time may have been rolled back.
  if (const auto minute = static_cast<std::int64_t>(number) / kWindowsInMinute; minute > rolled_up_) {
    roll_up(*database_, run_, rolled_up_until(*database_, run_), minute);
    rolled_up_ = minute;
  }
}

void RunStore::write_events(const std::deque<profile::Event>& events) {
  Statement statement(*database_,
                      "INSERT INTO events(run, time_ns, kind, worker, signal, code, sequence, text) "
                      "VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  for (const profile::Event& event : events) {
    statement.bind(1, run_).bind(2, event.time_ns - info_.start_ns).bind(3, event.kind).bind(4, event.worker);
    statement.bind(5, event.signal).bind(6, event.code).bind(8, event.text);
    if (event.sequence) {
      statement.bind(7, *event.sequence);
    } else {
      statement.bind_null(7);
    }
    statement.run();
  }
}

void RunStore::write_restarts(const std::vector<std::uint32_t>& per_worker) {
  Statement statement(*database_, "UPDATE stages SET restarts = ? WHERE run = ? AND worker = ?");
  for (std::size_t worker = 0; worker < per_worker.size(); ++worker) {
    statement.bind(1, per_worker[worker]).bind(2, run_).bind(3, worker).run();
  }
}

void RunStore::end(const std::string& outcome, const std::string& reason) {
  Statement statement(*database_, "UPDATE runs SET ended = ?, outcome = ?, reason = ? WHERE id = ?");
  statement.bind(1, unix_time()).bind(2, outcome).bind(3, reason).bind(4, run_).run();
}

/// What a checkpoint waits for first, done before it holds the lock. (The log carries no POSIX locks, so closing it
/// here releases none of SQLite's.)
void RunStore::sync_log() const {
  const base::UniqueFd log(::open((info_.database.string() + "-wal").c_str(), O_RDONLY | O_CLOEXEC));
  if (log) {
    ::fdatasync(log.get());
  }
}

void RunStore::checkpoint(bool at_the_end) {
  std::error_code ignored;
  const auto log_bytes = std::filesystem::file_size(info_.database.string() + "-wal", ignored);
  if (has_moved() || (!at_the_end && (ignored || log_bytes < kLongLog))) {
    return;
  }
  sync_log();
  if (lock_.lock_within(at_the_end ? 2000 : 0)) {
    const StoreLock::Held held(lock_);
    if (!database_->checkpoint(at_the_end)) {
      database_->checkpoint(false);
    }
  }
}

/// Takes up the run of a profiler process that died.
bool RunStore::find_run() {
  const auto standing = run_of(*database_, info_.coordinator_pid, info_.started);
  if (!standing) {
    return false;
  }
  run_ = *standing;
  const auto ids = [&](const char* sql) {
    std::vector<std::int64_t> found;
    Statement statement(*database_, sql);
    statement.bind(1, run_);
    while (statement.step()) {
      found.push_back(statement.integer(0));
    }
    return found;
  };
  stage_ids_ = ids("SELECT id FROM stages WHERE run = ? ORDER BY position");
  link_ids_ = ids("SELECT id FROM links WHERE run = ? ORDER BY position");
  return !stage_ids_.empty();
}

/// Of a window that was closed before its time, for somebody who asked for the figures. Returns what it covers.
std::int64_t RunStore::add_standing_window(std::size_t key, std::uint64_t number, profile::Figures& to) {
  Statement statement(*database_, std::string("SELECT ") + kFigureColumns +
                                      ", histogram, span_ns FROM windows WHERE stage = ? AND window = ?");
  statement.bind(1, stage_ids_.at(key)).bind(2, number);
  if (!statement.step()) {
    return 0;
  }
  profile::Figures standing = figures_in(statement, 0);
  standing.histogram.resize(shm::kBuckets);
  for (const auto& [bucket, items] : histogram_pairs(statement.blob(kFigures))) {
    standing.histogram[std::min<std::size_t>(bucket, shm::kBuckets - 1)] += items;
  }
  to.add(standing);
  return statement.integer(kFigures + 1);
}

RunStore::Written RunStore::read_written() {
  Written written;
  written.links.resize(link_ids_.size());
  Statement totals(*database_, std::string("SELECT ") + kFigureColumns + " FROM stages WHERE id = ?");
  for (std::size_t i = 0; i < stage_ids_.size(); ++i) {
    totals.bind(1, stage_ids_[i]);
    if (totals.step()) {
      profile::Figures figures = figures_in(totals, 0);
      figures.histogram = read_histogram(*database_, stage_ids_[i]);
      written.keys[i] = std::move(figures);
    }
    totals.reset();
  }
  Statement links(*database_, "SELECT items, dropped FROM links WHERE id = ?");
  for (std::size_t i = 0; i < link_ids_.size(); ++i) {
    links.bind(1, link_ids_[i]);
    if (links.step()) {
      written.links[i] = {.items = links.number(0), .dropped = links.number(1)};
    }
    links.reset();
  }
  const std::string run = std::to_string(run_);
  written.events = static_cast<std::uint64_t>(
      database_->query_integer("SELECT count(*) FROM events WHERE run = " + run).value_or(0));
  const auto last = database_->query_integer(
      "SELECT max(window) FROM windows WHERE stage IN (SELECT id FROM stages WHERE run = " + run + ")");
  const bool any = database_->query_integer("SELECT count(*) FROM stages WHERE items > 0 AND run = " + run) > 0;
  if (any) {
    written.until_ns = info_.start_ns + (last.value_or(0) + 1) * shm::kWindowNs;
  }
  return written;
}

std::uint64_t RunStore::used_bytes() {
  const std::int64_t pages = database_->query_integer("PRAGMA page_count").value_or(0) -
                             database_->query_integer("PRAGMA freelist_count").value_or(0);
  return static_cast<std::uint64_t>(pages * database_->query_integer("PRAGMA page_size").value_or(0));
}

bool RunStore::retire_a_bit() {
  const auto runs = static_cast<std::uint64_t>(database_->query_integer("SELECT count(*) FROM runs").value_or(0));
  const auto oldest = database_->query_integer("SELECT id FROM runs WHERE outcome <> 'running' AND id <> " +
                                               std::to_string(run_) + " ORDER BY id LIMIT 1");
  if (!oldest || (runs <= info_.retention.runs && used_bytes() <= info_.retention.bytes)) {
    return false;
  }
  Transaction transaction(*database_);
  // Single items are by far the most: those of one stage at a time.
  const auto stage = database_->query_integer("SELECT id FROM stages WHERE run = " + std::to_string(*oldest) +
                                              " AND EXISTS (SELECT 1 FROM items WHERE stage = stages.id) LIMIT 1");
  if (stage) {
    const std::string id = std::to_string(*stage);
    database_->execute("DELETE FROM items WHERE stage = " + id + "; UPDATE stages SET rows = 0 WHERE id = " + id);
  } else {
    delete_run(*database_, *oldest);
  }
  transaction.commit();
  return true;
}

void delete_run(Database& database, std::int64_t run) {
  const std::string id = std::to_string(run);
  const std::string stages = "(SELECT id FROM stages WHERE run = " + id + ")";
  const std::string links = "(SELECT id FROM links WHERE run = " + id + ")";
  for (const char* table : {"items", "windows", "minutes", "histograms"}) {
    database.execute("DELETE FROM " + std::string(table) + " WHERE stage IN " + stages);
  }
  database.execute("DELETE FROM link_windows WHERE link IN " + links);
  database.execute("DELETE FROM link_minutes WHERE link IN " + links);
  database.execute("DELETE FROM link_consumers WHERE link IN " + links);
  for (const char* table : {"stages", "links", "events", "row_cursors"}) {
    database.execute("DELETE FROM " + std::string(table) + " WHERE run = " + id);
  }
  // Dead letters stay until somebody has dealt with them.
  database.execute("DELETE FROM runs WHERE id = " + id);
}

}  // namespace pystream::store
