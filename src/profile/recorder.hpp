#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "profile/sampling.hpp"
#include "shm/segment.hpp"

/// Counts and times what a worker does, in shared memory, exactly once for every item however often the worker is
/// killed: see shm/profile_abi.hpp. No call here allocates or makes a system call.
namespace pystream::profile {

/// The rows of one worker on their way to its writer thread, and which items become rows. Used by the stages' thread.
class RowQueue {
 public:
  /// `rows_per_second`: beyond it fewer items are sampled.
  RowQueue(const shm::ProfileArea& area, bool enabled, std::uint64_t rows_per_second);

  bool wants(std::uint64_t sequence) const { return is_sampled(sequence, mask_); }
  std::uint64_t mask() const { return mask_; }
  bool enabled() const { return enabled_; }
  std::uint64_t head() const { return page_.head.load(std::memory_order_relaxed); }
  std::uint32_t weight() const { return weight_; }
  std::uint64_t room() const {
    return enabled_ ? rows_.size() - (head() - page_.tail.load(std::memory_order_acquire)) : 0;
  }
  std::uint64_t lost() const { return page_.lost.load(std::memory_order_relaxed); }
  void put(std::uint64_t position, const shm::Row& row) { rows_[position & (rows_.size() - 1)] = row; }
  void publish(std::uint64_t head, std::uint64_t lost) {
    page_.lost.store(lost, std::memory_order_relaxed);
    page_.head.store(head, std::memory_order_release);
  }
  /// After a batch with `sampled` sampled items: samples more or less if that is due.
  void adapt(std::uint64_t sampled, std::int64_t now);

 private:
  void set_mask();

  shm::RowPage& page_;
  std::span<shm::Row> rows_;
  bool enabled_;
  std::uint64_t period_limit_;
  std::uint64_t period_rows_ = 0;
  std::int64_t period_end_ = 0;
  std::uint64_t mask_ = 0;
  std::uint32_t weight_ = 1;
};

/// Collects what one segment of a worker does in a batch, and counts it with the commit.
///
/// The order of calls, once per batch: add_…() and sample(); prepare(); the commit; apply().
class Recorder {
 public:
  /// `first` and `count`: its stages among `stats`; with the main pipeline if items leave it here.
  Recorder(const shm::ProfileArea::Segment& area, std::span<shm::StageStats> stats, std::uint32_t first,
           std::uint32_t count, RowQueue& rows);

  /// Applies what a predecessor had committed and not yet counted.
  void recover(std::uint64_t inputs_done);

  /// The samples of one more item fit into the batch.
  bool has_room() const { return samples_ + deltas_.size() <= area_.rows.size(); }
  bool wants(std::uint64_t sequence) const { return rows_.wants(sequence); }
  /// How many items from `sequence` on, at most `most`, come before one that it wants.
  std::uint32_t unwanted_ahead(std::uint64_t sequence, std::uint32_t most) {
    return sampled_numbers_.unsampled_from(sequence, most, rows_.mask());
  }

  void add_items(std::uint32_t stage, std::uint64_t items) { delta(stage).items += items; }
  void add_error(std::uint32_t stage) { ++delta(stage).errors; }
  void add_letter(std::uint32_t stage) { ++delta(stage).letters; }
  void add_time(std::uint32_t stage, std::int64_t ns) { delta(stage).total_ns += not_negative(ns); }
  /// Items came to the end of this stage so long after they had entered the pipeline.
  void add_age(std::uint32_t stage, std::int64_t ns) { delta(stage).age_ns += not_negative(ns); }
  /// One item took `ns` inside this stage, or in the pipeline. `weight`: stands for so many items; see weight().
  /// REQUIRES: has_room() when the item began.
  void sample(std::uint32_t stage, std::uint64_t sequence, std::uint64_t input, std::int64_t start_ns, std::int64_t ns,
              std::uint32_t weight) {
    if (weight != weight_) {
      sum_up();
      weight_ = weight;
    }
    // Only noted here; sum_up() keeps its sums in registers.
    const std::uint64_t value = std::min(not_negative(ns), shm::Row::kNsMask);
    Delta& sum = delta(stage);
    sum.values[sum.noted++] = value;
    ++samples_;
    if (rows_.wants(sequence)) {
      keep_row({.sequence = sequence,
                .input = input,
                .start_ns = start_ns,
                .stage_and_ns = (std::uint64_t{stage} << 48) | value});
    }
  }
  /// How many items one stands for where only those that wants() says are timed.
  std::uint32_t weight() const { return rows_.weight(); }
  /// Time of the timed items since the pipeline began, this batch not included.
  std::uint64_t timed_ns(std::uint32_t stage) const { return stats_[stage].timed_ns.load(std::memory_order_relaxed); }

  void prepare(std::uint64_t inputs_done);
  void apply(std::int64_t now);

 private:
  struct Delta {
    std::uint64_t items = 0, samples = 0, errors = 0, letters = 0, timed = 0, timed_ns = 0, total_ns = 0, age_ns = 0;
    std::uint64_t min_ns = std::numeric_limits<std::uint64_t>::max();
    std::uint64_t max_ns = 0;
    std::uint64_t noted = 0;          ///< samples that are not in the sums yet
    std::uint64_t* values = nullptr;  ///< where they are noted
  };

  static std::uint64_t not_negative(std::int64_t ns) { return ns > 0 ? static_cast<std::uint64_t>(ns) : 0; }
  Delta& delta(std::uint32_t stage) {
    dirty_ = true;
    return deltas_[stage - first_];
  }
  void keep_row(const shm::Row& row);
  void sum_up();
  void apply_batch();
  void note_windows(std::int64_t now);

  shm::ProfileArea::Segment area_;
  std::span<shm::StageStats> stats_;
  std::uint32_t first_;
  RowQueue& rows_;
  SampledNumbers sampled_numbers_;
  std::vector<Delta> deltas_;
  std::vector<std::uint64_t> values_;          ///< noted samples of each stage, in nanoseconds
  std::uint32_t weight_ = 1;                   ///< of each of them
  std::uint64_t samples_ = 0;                  ///< of the batch
  std::vector<std::uint64_t> buckets_;         ///< what the batch adds to the histograms
  std::vector<std::uint32_t> touched_places_;  ///< the first `touched_`: which of `buckets_` are not zero
  std::uint64_t touched_ = 0;
  std::uint64_t sampled_ = 0;  ///< rows of the batch, or they would be if there were a database
  std::uint64_t window_ = 0;
  std::int64_t window_end_ = 0;
  bool dirty_ = false;
  bool prepared_ = false;
};

}  // namespace pystream::profile
