#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "shm/ring_abi.hpp"

/// What profiles keep in shared memory. This header is the document; a change raises kAbiVersion (segment_abi.hpp).
///
///   ProfileConfig                  one page      the coordinator writes it before it starts workers
///   StageStats[tracked]            per worker    counters since the pipeline began (behind its WorkerPage)
///   RowPage, rows                  per worker    single items on their way into the database
///   Batch, StageAfter[], Row[], BucketAfter[] per segment   what the commit in work will count
///
/// A worker counts an item when it commits it, and exactly once however often it is killed:
///   1. While it works it collects rows in the Batch, and sums in memory of its own.
///   2. Before the commit it completes the Batch with the figures as they will be, and tags it with the inputs that the
///      commit includes.
///   3. It commits (ring_abi.hpp).
///   4. It applies the Batch: plain stores of those figures, so that doing it again changes nothing.
/// A successor applies the Batch that its predecessor left if its tag is what the journal says is done.
namespace pystream::shm {

/// Log-linear buckets as in HdrHistogram: 16 to an octave, so a value is off by at most 1/32 from its bucket's middle.
inline constexpr std::size_t kSubBuckets = 16;
inline constexpr std::size_t kBuckets = kSubBuckets * 41;

constexpr std::size_t bucket_of(std::uint64_t ns) {
  const auto octave = static_cast<std::size_t>(std::bit_width(ns | kSubBuckets)) - 5;  // 0 below 32; no branch
  const std::size_t bucket = octave * kSubBuckets + static_cast<std::size_t>(ns >> octave);
  return bucket < kBuckets ? bucket : kBuckets - 1;
}
/// The smallest value of a bucket, in nanoseconds.
constexpr std::uint64_t bucket_low(std::size_t bucket) {
  if (bucket < 2 * kSubBuckets) {
    return bucket;
  }
  const std::size_t octave = bucket / kSubBuckets - 1;
  return (bucket - octave * kSubBuckets) << octave;
}
/// The middle of a bucket, in nanoseconds.
constexpr double bucket_middle(std::size_t bucket) {
  if (bucket < 2 * kSubBuckets) {
    return static_cast<double>(bucket);
  }
  return static_cast<double>(bucket_low(bucket)) +
         0.5 * static_cast<double>(std::uint64_t{1} << (bucket / kSubBuckets - 1));
}

/// Counters of one source, stage or sink, or of the main pipeline. Written by its worker with relaxed stores; kept
/// over restarts.
struct StageStats {
  std::atomic<std::uint64_t> items;     ///< inputs done (of a source: items given; of a pipeline: items that came out)
  std::atomic<std::uint64_t> samples;   ///< items timed one by one; fewer than `items` where items are sampled
  std::atomic<std::uint64_t> errors;    ///< items that ended in an exception
  std::atomic<std::uint64_t> timed;     ///< items that the samples stand for; as many are in the histogram
  std::atomic<std::uint64_t> timed_ns;  ///< their sum
  std::atomic<std::uint64_t> total_ns;  ///< time spent on all items; of a pipeline from entrance to exit
  std::atomic<std::uint64_t> age_ns;    ///< of all items: from the main pipeline's entrance to the end of this stage
  std::atomic<std::uint64_t> min_ns;
  std::atomic<std::uint64_t> max_ns;
  /// Smallest and largest time of the timed items that ended in a window; number n stands at n % 2.
  struct Window {
    std::atomic<std::uint64_t> number;
    std::atomic<std::uint64_t> min_ns;
    std::atomic<std::uint64_t> max_ns;
  };
  Window windows[2];
  std::atomic<std::uint64_t> histogram[kBuckets];
  std::atomic<std::uint64_t> letters;  ///< of the errors: kept as dead letters
};

/// Length of a window; windows are numbered by CLOCK_MONOTONIC / kWindowNs.
inline constexpr std::int64_t kWindowNs = 1'000'000'000;

inline constexpr std::size_t kDatabasePath = 2048;
inline constexpr std::size_t kRunName = 256;

/// Values of ProfileConfig::run that are no number of a run.
inline constexpr std::uint64_t kRunNotYet = 0;              ///< the profiler process still begins
inline constexpr std::uint64_t kNoRun = ~std::uint64_t{0};  ///< it will not: there is no profile

/// Written by the coordinator before it starts the first worker, except `run`.
struct ProfileConfig {
  std::uint32_t enabled;          ///< 0: no rows are written
  std::uint32_t path_bytes;       ///< 0: nor dead letters
  std::uint64_t tick_multiplier;  ///< base::TickRate
  /// Number of this run in the database. Workers begin without it, and their rows wait. Written by the profiler process
  /// once the run stands there (release), or by the coordinator if it will not.
  std::atomic<std::uint64_t> run;
  std::uint64_t max_history;      ///< rows of a stage
  std::uint64_t rows_per_second;  ///< of a worker; beyond it items are sampled
  std::uint64_t start_ns;         ///< CLOCK_MONOTONIC at the start of the run; times in the database count from here
  std::array<char, kDatabasePath> path;
  // For dead letters of a run without a profile:
  double started;  ///< Unix time
  std::uint64_t coordinator_pid;
  std::uint64_t name_bytes;
  std::array<char, kRunName> name;  ///< of the pipeline
};

/// One item in one stage.
struct Row {
  std::uint64_t sequence;
  std::uint64_t input;  ///< its number on the stage's input link, which is unique
  std::int64_t start_ns;
  std::uint64_t stage_and_ns;  ///< bits 48-63: index in the worker; 0-47: nanoseconds

  std::uint32_t stage() const { return static_cast<std::uint32_t>(stage_and_ns >> 48); }
  std::uint64_t ns() const { return stage_and_ns & kNsMask; }
  static constexpr std::uint64_t kNsMask = (std::uint64_t{1} << 48) - 1;
};

/// Rows [tail, head) wait for the database; row n stands at n % rows.
struct RowPage {
  /// Written by the worker's stages: release store after the rows; acquire load by its writer thread.
  alignas(kLine) std::atomic<std::uint64_t> head;
  std::atomic<std::uint64_t> lost;        ///< rows for which there was no room
  std::atomic<std::uint32_t> rate_shift;  ///< one item in 2^n is a row because of the rate
  /// Written by the worker's writer thread: release store once the database has the rows; acquire load by the stages.
  alignas(kLine) std::atomic<std::uint64_t> tail;
  std::atomic<std::uint32_t> history_shift;  ///< … because of max_history
};

/// See the top. Written by its worker, and applied once more by the profiler process after the end.
struct Batch {
  std::uint64_t tag;       ///< inputs done after the commit; kInvalidPosition: none yet
  std::uint64_t applied;   ///< tag of the batch applied last
  std::uint64_t row_base;  ///< RowPage::head before
  std::uint64_t rows;      ///< that follow it
  std::uint64_t lost;      ///< RowPage::lost afterwards
  std::uint64_t buckets;   ///< of the histograms that change
  std::uint32_t first;     ///< of the StageStats that change
  std::uint32_t stages;    ///< how many
};

/// A stage's figures once the batch is applied.
struct StageAfter {
  std::uint64_t items, samples, errors, letters, timed, timed_ns, total_ns, age_ns, min_ns, max_ns;
};

/// A histogram's bucket once the batch is applied.
struct BucketAfter {
  std::uint64_t place;  ///< index among the worker's StageStats times kBuckets, and the bucket
  std::uint64_t items;
};

static_assert(sizeof(ProfileConfig) <= kPage && sizeof(RowPage) <= kPage);
static_assert(sizeof(Row) == 32 && sizeof(StageAfter) == 80 && sizeof(Batch) == 56 && sizeof(BucketAfter) == 16);
static_assert(sizeof(StageStats) == (16 + kBuckets) * 8);
static_assert(bucket_of(15) == 15 && bucket_of(16) == 16 && bucket_of(31) == 31 && bucket_of(32) == 32 &&
              bucket_of(34) == 33 && bucket_of(~std::uint64_t{0}) == kBuckets - 1);
static_assert(bucket_low(32) == 32 && bucket_low(33) == 34 && bucket_low(bucket_of(1'000'000)) <= 1'000'000 &&
              bucket_low(bucket_of(1'000'000) + 1) > 1'000'000);

}  // namespace pystream::shm
