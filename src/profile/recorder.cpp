#include "profile/recorder.hpp"

#include <algorithm>

namespace pystream::profile {
namespace {

constexpr std::int64_t kPeriodNs = 100'000'000;
constexpr std::uint64_t kPeriodsPerSecond = 10;

std::uint64_t get(const std::atomic<std::uint64_t>& word) {
  return word.load(std::memory_order_relaxed);
}

}  // namespace

RowQueue::RowQueue(const shm::ProfileArea& area, bool enabled, std::uint64_t rows_per_second)
    : page_(*area.page),
      rows_(area.rows),
      enabled_(enabled && !area.rows.empty()),
      period_limit_(std::max<std::uint64_t>(rows_per_second / kPeriodsPerSecond, 1)) {
  set_mask();
}

void RowQueue::set_mask() {
  const std::uint32_t shift = std::min(
      std::max(page_.rate_shift.load(std::memory_order_relaxed), page_.history_shift.load(std::memory_order_relaxed)),
      kLargestShift);
  mask_ = sampling_mask(shift);
  weight_ = std::uint32_t{1} << shift;
}

void RowQueue::adapt(std::uint64_t sampled, std::int64_t now) {
  period_rows_ += sampled;
  const std::uint32_t shift = page_.rate_shift.load(std::memory_order_relaxed);
  if (period_rows_ > period_limit_) {
    page_.rate_shift.store(std::min(shift + 1, kLargestShift), std::memory_order_relaxed);
  } else if (now < period_end_) {
    return;
  } else if (enabled_ && room() < rows_.size() / 4) {
    // The database does not keep up: better fewer samples than lost ones.
    page_.rate_shift.store(std::min(shift + 1, kLargestShift), std::memory_order_relaxed);
  } else if (period_rows_ < period_limit_ / 4 && shift > 0) {
    page_.rate_shift.store(shift - 1, std::memory_order_relaxed);
  }
  period_rows_ = 0;
  period_end_ = now + kPeriodNs;
  set_mask();
}

Recorder::Recorder(const shm::ProfileArea::Segment& area, std::span<shm::StageStats> stats, std::uint32_t first,
                   std::uint32_t count, RowQueue& rows)
    : area_(area),
      stats_(stats),
      first_(first),
      rows_(rows),
      deltas_(count),
      values_(count * area.rows.size()),
      buckets_(count * shm::kBuckets),
      touched_places_(area.buckets.size() + 1) {
  for (std::size_t i = 0; i < deltas_.size(); ++i) {
    deltas_[i].values = values_.data() + i * area.rows.size();
  }
}

void Recorder::recover(std::uint64_t inputs_done) {
  shm::Batch& batch = *area_.batch;
  if (batch.tag != inputs_done) {
    batch.tag = shm::kInvalidPosition;  // was never committed, and must not be taken for a later commit's
  } else if (batch.applied != batch.tag && batch.rows <= area_.rows.size() && batch.buckets <= area_.buckets.size() &&
             std::uint64_t{batch.first} + batch.stages <= stats_.size()) {
    apply_batch();
  }
}

void Recorder::keep_row(const shm::Row& row) {
  if (sampled_ < area_.rows.size()) {
    area_.rows[sampled_] = row;
  }
  ++sampled_;
}

void Recorder::sum_up() {
  for (std::size_t i = 0; i < deltas_.size(); ++i) {
    Delta& sum = deltas_[i];
    // In locals: a store to a bucket could change any member, as far as a compiler knows.
    std::uint64_t* const buckets = buckets_.data() + i * shm::kBuckets;
    std::uint32_t* const places = touched_places_.data();
    const auto first_place = static_cast<std::uint32_t>(i * shm::kBuckets);
    const std::uint64_t weight = weight_;
    std::uint64_t touched = touched_;
    std::uint64_t total_ns = 0;
    std::uint64_t min_ns = sum.min_ns;
    std::uint64_t max_ns = sum.max_ns;
    for (const std::uint64_t value : std::span(sum.values, sum.noted)) {
      total_ns += value;
      min_ns = std::min(min_ns, value);
      max_ns = std::max(max_ns, value);
      const std::size_t bucket = shm::bucket_of(value);
      // Without a branch that depends on the value: a place is noted with each sample, and stays if it is a new one.
      places[touched] = first_place + static_cast<std::uint32_t>(bucket);
      touched += buckets[bucket] == 0 ? 1 : 0;
      buckets[bucket] += weight;
    }
    touched_ = touched;
    sum.min_ns = min_ns;
    sum.max_ns = max_ns;
    sum.samples += sum.noted;
    sum.timed += sum.noted * weight_;
    sum.timed_ns += total_ns * weight_;
    sum.noted = 0;
  }
}

void Recorder::prepare(std::uint64_t inputs_done) {
  shm::Batch& batch = *area_.batch;
  if (!dirty_ || batch.applied == inputs_done) {
    return;  // the next commit counts it
  }
  sum_up();
  for (std::size_t i = 0; i < deltas_.size(); ++i) {
    const shm::StageStats& stats = stats_[first_ + i];
    const Delta& sum = deltas_[i];
    const std::uint64_t timed = get(stats.timed);
    area_.after[first_ + i] = {
        .items = get(stats.items) + sum.items,
        .samples = get(stats.samples) + sum.samples,
        .errors = get(stats.errors) + sum.errors,
        .letters = get(stats.letters) + sum.letters,
        .timed = timed + sum.timed,
        .timed_ns = get(stats.timed_ns) + sum.timed_ns,
        .total_ns = get(stats.total_ns) + sum.total_ns,
        .age_ns = get(stats.age_ns) + sum.age_ns,
        .min_ns = timed == 0 ? (sum.timed == 0 ? 0 : sum.min_ns) : std::min(get(stats.min_ns), sum.min_ns),
        .max_ns = std::max(get(stats.max_ns), sum.max_ns)};
  }
  for (std::size_t i = 0; i < touched_; ++i) {
    const std::size_t place = touched_places_[i] + first_ * shm::kBuckets;
    const auto& bucket = stats_[place / shm::kBuckets].histogram[place % shm::kBuckets];
    area_.buckets[i] = {.place = place, .items = get(bucket) + buckets_[touched_places_[i]]};
  }
  const std::uint64_t kept = rows_.enabled() ? std::min({sampled_, rows_.room(), area_.rows.size()}) : 0;
  batch.row_base = rows_.head();
  batch.rows = kept;
  batch.lost = rows_.lost() + (rows_.enabled() ? sampled_ - kept : 0);
  batch.buckets = touched_;
  batch.first = first_;
  batch.stages = static_cast<std::uint32_t>(deltas_.size());
  std::atomic_signal_fence(std::memory_order_release);
  batch.tag = inputs_done;
  std::atomic_signal_fence(std::memory_order_release);
  prepared_ = true;
}

void Recorder::apply(std::int64_t now) {
  if (!prepared_) {
    return;
  }
  prepared_ = false;
  apply_batch();
  note_windows(now);
  rows_.adapt(sampled_, now);
  for (std::size_t i = 0; i < touched_; ++i) {
    buckets_[touched_places_[i]] = 0;
  }
  for (Delta& sum : deltas_) {
    sum = {.values = sum.values};
  }
  touched_ = 0;
  samples_ = 0;
  sampled_ = 0;
  dirty_ = false;
}

void Recorder::apply_batch() {
  const shm::Batch& batch = *area_.batch;
  for (std::uint64_t i = 0; i < batch.rows; ++i) {
    rows_.put(batch.row_base + i, area_.rows[i]);
  }
  rows_.publish(batch.row_base + batch.rows, batch.lost);
  for (std::uint64_t i = 0; i < batch.buckets; ++i) {
    const shm::BucketAfter& after = area_.buckets[i];
    if (after.place < stats_.size() * shm::kBuckets) {
      stats_[after.place / shm::kBuckets].histogram[after.place % shm::kBuckets].store(after.items,
                                                                                       std::memory_order_relaxed);
    }
  }
  for (std::size_t i = batch.first; i < batch.first + batch.stages; ++i) {
    shm::StageStats& stats = stats_[i];
    const shm::StageAfter& after = area_.after[i];
    stats.items.store(after.items, std::memory_order_relaxed);
    stats.samples.store(after.samples, std::memory_order_relaxed);
    stats.errors.store(after.errors, std::memory_order_relaxed);
    stats.letters.store(after.letters, std::memory_order_relaxed);
    stats.timed.store(after.timed, std::memory_order_relaxed);
    stats.timed_ns.store(after.timed_ns, std::memory_order_relaxed);
    stats.total_ns.store(after.total_ns, std::memory_order_relaxed);
    stats.age_ns.store(after.age_ns, std::memory_order_relaxed);
    stats.min_ns.store(after.min_ns, std::memory_order_relaxed);
    stats.max_ns.store(after.max_ns, std::memory_order_relaxed);
  }
  std::atomic_signal_fence(std::memory_order_release);
  area_.batch->applied = area_.batch->tag;
}

void Recorder::note_windows(std::int64_t now) {
  if (now >= window_end_) {
    window_ = static_cast<std::uint64_t>(now / shm::kWindowNs);
    window_end_ = (now / shm::kWindowNs + 1) * shm::kWindowNs;
  }
  for (std::size_t i = 0; i < deltas_.size(); ++i) {
    const Delta& sum = deltas_[i];
    if (sum.timed == 0) {
      continue;
    }
    shm::StageStats::Window& slot = stats_[first_ + i].windows[window_ % 2];
    const bool fresh = get(slot.number) != window_;
    slot.min_ns.store(fresh ? sum.min_ns : std::min(get(slot.min_ns), sum.min_ns), std::memory_order_relaxed);
    slot.max_ns.store(fresh ? sum.max_ns : std::max(get(slot.max_ns), sum.max_ns), std::memory_order_relaxed);
    slot.number.store(window_, std::memory_order_release);
  }
}

}  // namespace pystream::profile
