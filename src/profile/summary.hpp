#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "profile/bottleneck.hpp"
#include "profile/figures.hpp"

/// What a run's profile says, for people and programs: `pystream-coord profile`, get_profiles().
namespace pystream::profile {

/// One profile key: a stage, or a pipeline of any level.
struct KeySummary {
  std::string key;
  std::string role;            ///< source, stage, sink, pipeline
  std::string worker;          ///< name of its process; empty: a pipeline inside another, or several replicas
  std::uint32_t replicas = 1;  ///< more: what so many of a stage did together; each has a key of its own too
  std::uint64_t items = 0;     ///< exact
  std::uint64_t errors = 0;
  std::uint64_t samples = 0;  ///< items that percentiles are of
  double mean_s = 0;          ///< of a stage: inside its callable; of a pipeline: from entrance to exit
  double min_s = 0;
  double p50_s = 0;  ///< percentiles: within 1/32, at a rank within rank_error
  double p90_s = 0;
  double p99_s = 0;
  double p999_s = 0;
  double max_s = 0;
  /// Where not all items were timed singly: in 19 of 20 cases p50_s is the time of some rank between 0.5 - rank_error
  /// and 0.5 + rank_error, and that of another share p between p - e and p + e, e = 2 rank_error sqrt(p (1 - p)).
  double rank_error = 0;
  double items_per_s = 0;  ///< see items_per_second()
  double rate = 0;         ///< items per second of however few items, 0 of one
  double waiting = 0;      ///< share of its worker's time, 0 to 1: for input
  double working = 0;
  double blocked = 0;   ///< on a full output link
  double busy_s = 0;    ///< time spent on all items
  double active_s = 0;  ///< of its worker: waiting, working and blocked
  std::uint32_t restarts = 0;
  std::uint64_t dropped = 0;  ///< items that the link in front of it threw away
  bool has_link = false;      ///< there is a link in front of it
  double fill = 0;            ///< of that link: mean share of the limit that would hold its producer up, 0 to 1
  double queueing_s = 0;      ///< mean time of an item in that link and in work, by the items in it and the rate
  double oldest_s = 0;        ///< largest age of the oldest item in that link, since it entered the pipeline
  std::uint64_t rows = 0;     ///< single items in the database
  std::uint64_t one_row_in = 1;
  std::uint64_t rows_lost = 0;  ///< of its worker
  bool bottleneck = false;

  static void fields(auto& self, auto& code) {
    code(self.key, self.role, self.worker, self.replicas, self.items, self.errors, self.samples);
    code(self.mean_s, self.min_s, self.p50_s, self.p90_s, self.p99_s, self.p999_s, self.max_s, self.rank_error);
    code(self.items_per_s, self.rate, self.waiting, self.working, self.blocked, self.busy_s, self.active_s);
    code(self.restarts, self.dropped, self.rows, self.one_row_in, self.rows_lost, self.bottleneck);
    code(self.has_link, self.fill, self.queueing_s, self.oldest_s);
  }
};

struct RunSummary {
  std::int64_t run = 0;
  std::string name;
  std::string host;
  std::string outcome;  ///< running, done, failed, interrupted, lost, unprofiled
  std::string reason;
  double started = 0;  ///< Unix time
  double duration_s = 0;
  std::uint64_t dead_letters = 0;
  std::vector<KeySummary> keys;  ///< outer pipelines before what is in them
  std::string bottleneck;        ///< why the marked stage limits the pipeline; empty: there is none

  const KeySummary* find(const std::string& key) const;
  /// As get_profiles() gives them: mean latency in seconds and items/s, by key.
  std::map<std::string, double> latency() const;
  std::map<std::string, double> throughput() const;

  static void fields(auto& self, auto& code) {
    code(self.run, self.name, self.host, self.outcome, self.reason, self.started, self.duration_s);
    code(self.dead_letters, self.bottleneck, self.keys);
  }
};

/// Of counters: all but names, restarts, drops and rows.
KeySummary summary_of(const Figures& figures);
void set_percentiles(KeySummary& key, const std::vector<std::uint64_t>& histogram, std::uint64_t max_ns);
/// See KeySummary::rank_error. `effective`: so many samples of equal weight tell as much.
double rank_error(const KeySummary& key, double effective);

/// The stage that limits the others.
struct LimitingStage {
  KeySummary* key = nullptr;
  bool blocked_before = false;  ///< the stages upstream wait for it
  bool waiting_behind = false;  ///< the stages downstream do
};
/// Marks it, if there is one; see find_bottleneck().
std::optional<LimitingStage> mark_bottleneck(std::vector<KeySummary>& keys, std::span<const WorkerLink> links);

}  // namespace pystream::profile
