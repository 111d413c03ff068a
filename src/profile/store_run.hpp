#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "profile/figures.hpp"
#include "profile/run_description.hpp"
#include "profile/store_database.hpp"
#include "profile/store_lock.hpp"

namespace pystream::profile {

/// The bookkeeper's hand in the database: schema, the run with its stages and links, windows, events, retention,
/// checkpoints. All but the constructor and checkpoint() is to be called under the lock, see store_lock.hpp.
class RunStore {
 public:
  /// Makes the folder. `start_ns`: zero of the run's times, a multiple of the window.
  RunStore(RunDescription description, std::int64_t start_ns);

  StoreLock& lock() { return lock_; }
  Database& database() { return *database_; }

  /// Opens, migrates, and writes the run; after the database was deleted again, with the same number. Returns it.
  std::int64_t begin();
  /// Removes old runs as the description's Retention says.
  void retire_old_runs();
  /// The file is no longer the one that was opened.
  bool has_moved() { return !database_ || database_->has_moved(); }

  struct LinkWindow {
    LinkFigures total;
    std::uint64_t items = 0;
    std::uint64_t dropped = 0;
    double fill_items = 0;
    double fill_bytes = 0;
    std::uint64_t largest_fill_bytes = 0;
  };
  /// One moment's figures: `total` since the pipeline began, `window` since the last time.
  struct KeyWindow {
    Figures total;
    Figures window;
  };
  void write_windows(std::uint64_t number, std::int64_t span_ns, const std::map<std::size_t, KeyWindow>& keys,
                     const std::vector<LinkWindow>& links);
  void write_events(const std::deque<Event>& events);
  void write_restarts(const std::vector<std::uint32_t>& per_worker);
  void end(const std::string& outcome, const std::string& reason);

  /// Takes the lock for itself if it can, and copies the log into the database.
  void checkpoint(bool at_the_end);

  std::int64_t run() const { return run_; }
  std::int64_t start_ns() const { return start_ns_; }

 private:
  void write_run();
  void write_stages();
  void write_links();
  void mark_lost_runs();
  std::uint64_t used_bytes();

  RunDescription description_;
  std::int64_t start_ns_;
  double started_;
  StoreLock lock_;
  std::unique_ptr<Database> database_;
  std::int64_t run_ = 0;
  std::vector<std::int64_t> stage_ids_;  ///< of RunDescription::keys
  std::vector<std::int64_t> link_ids_;
};

/// Removes a run and all that belongs to it. REQUIRES: within a transaction.
void delete_run(Database& database, std::int64_t run);

}  // namespace pystream::profile
