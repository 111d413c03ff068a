#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "profile/figures.hpp"
#include "profile/link_figures.hpp"
#include "profile/run_info.hpp"
#include "store/database.hpp"
#include "store/store_lock.hpp"

namespace pystream::store {

/// The profiler process's hand in the database: schema, the run with its stages and links, windows, events, retention,
/// checkpoints. All but the constructor and checkpoint() is to be called under the lock, see store_lock.hpp.
class RunStore {
 public:
  /// Makes the folder.
  /// `ring_bytes`: of each link.
  explicit RunStore(profile::RunInfo info, std::vector<std::uint64_t> ring_bytes = {});

  const std::vector<profile::ProfileKey>& keys() const { return keys_; }
  StoreLock& lock() { return lock_; }
  Database& database() { return *database_; }

  /// Opens, migrates, and writes the run, or takes up the one that a predecessor has written. After the database was
  /// deleted writes it again, with the same number. Returns it.
  std::int64_t begin();
  /// Removes a part of what is too old by the run's Retention, in a transaction of its own; false: no more.
  bool retire_a_bit();
  /// The file is no longer the one that was opened.
  bool has_moved() { return !database_ || database_->has_moved(); }

  struct LinkWindow {
    profile::LinkFigures total;
    std::uint64_t items = 0;
    std::uint64_t dropped = 0;
    double fill_items = 0;
    double fill_bytes = 0;
    std::uint64_t largest_fill_bytes = 0;
    double fill = 0;
    std::int64_t oldest_ns = 0;  ///< the largest age that was seen
  };
  /// One moment's figures: `total` since the pipeline began, `window` since the last time.
  struct KeyWindow {
    profile::Figures total;
    profile::Figures window;
  };
  /// What this window already has is added to.
  void write_windows(std::uint64_t number, std::int64_t span_ns, std::map<std::size_t, KeyWindow> keys,
                     const std::vector<LinkWindow>& links);
  /// What is there of the run, as a predecessor has left it.
  struct Written {
    std::map<std::size_t, profile::Figures> keys;  ///< by position in keys()
    std::vector<profile::LinkFigures> links;
    std::uint64_t events = 0;
    std::optional<std::int64_t> until_ns{};  ///< CLOCK_MONOTONIC: the windows cover the time before; none: nothing
  };
  Written read_written();
  void write_events(const std::deque<profile::Event>& events);
  void write_restarts(const std::vector<std::uint32_t>& per_worker);
  void end(const std::string& outcome, const std::string& reason);

  /// Takes the lock for itself if it can, and copies the log into the database.
  void checkpoint(bool at_the_end);

  std::int64_t run() const { return run_; }
  std::int64_t start_ns() const { return info_.start_ns; }

 private:
  bool find_run();
  void write_run();
  std::int64_t add_standing_window(std::size_t key, std::uint64_t number, profile::Figures& to);
  void write_stages();
  void write_links();
  void mark_lost_runs();
  void sync_log() const;
  std::uint64_t used_bytes();

  profile::RunInfo info_;
  std::vector<std::uint64_t> ring_bytes_;
  std::vector<profile::ProfileKey> keys_;
  StoreLock lock_;
  std::unique_ptr<Database> database_;
  std::int64_t run_ = 0;
  std::vector<std::int64_t> stage_ids_;  ///< of keys_
  std::vector<std::int64_t> link_ids_;
  std::int64_t rolled_up_ = 0;  ///< minutes before this one were put together, unless that was rolled back
};

/// Removes a run and all that belongs to it. REQUIRES: within a transaction.
void delete_run(Database& database, std::int64_t run);

}  // namespace pystream::store
