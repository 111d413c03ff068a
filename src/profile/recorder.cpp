#include "profile/recorder.hpp"

#include <algorithm>

namespace pystream::profile {
namespace {

constexpr std::int64_t kPeriodNs = 100'000'000;
constexpr std::uint64_t kPeriodsPerSecond = 10;
constexpr std::uint32_t kLargestShift = 30;

std::uint64_t get(const std::atomic<std::uint64_t>& word) { return word.load(std::memory_order_relaxed); }

/// Stores that a successor must find in this order; on x86 a plain store, and the compiler keeps the order.
void put(std::atomic<std::uint64_t>& word, std::uint64_t value) { word.store(value, std::memory_order_release); }

}  // namespace

RowQueue::RowQueue(const shm::ProfileArea& area, bool enabled, std::uint64_t rows_per_second)
    : page_(*area.page),
      rows_(area.rows),
      enabled_(enabled && !area.rows.empty()),
      period_limit_(std::max<std::uint64_t>(rows_per_second / kPeriodsPerSecond, 1)) {
  set_mask();
}

void RowQueue::set_mask() {
  const std::uint32_t shift = std::min(std::max(page_.rate_shift.load(std::memory_order_relaxed),
                                                page_.history_shift.load(std::memory_order_relaxed)),
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

Recorder::Recorder(const shm::ProfileArea::Segment& area, std::span<shm::HostedStats> stats, std::uint32_t first,
                   std::uint32_t count, RowQueue& rows)
    : area_(area), stats_(stats), first_(first), rows_(rows), deltas_(count) {}

void Recorder::recover(std::uint64_t inputs_done) {
  const shm::Batch& batch = *area_.batch;
  if (batch.tag == inputs_done && batch.applied != batch.tag && batch.samples <= area_.samples.size()) {
    apply_rows();
    apply_histogram();
    apply_figures();
  }
}

void Recorder::sample(std::uint32_t hosted, std::uint64_t sequence, std::uint64_t input, std::int64_t start_ns,
                      std::int64_t ns, std::uint32_t weight) {
  const std::uint64_t value = std::min(not_negative(ns), shm::Row::kNsMask);
  const bool sampled = rows_.wants(sequence);
  area_.samples[samples_++] = {.row = {.sequence = sequence,
                                       .input = input,
                                       .start_ns = start_ns,
                                       .hosted_and_ns = (std::uint64_t{hosted} << 48) | value},
                               .is_row = sampled && rows_.enabled() ? 1U : 0U,
                               .weight = weight};
  sampled_ += sampled ? 1 : 0;
  Delta& sum = delta(hosted);
  ++sum.samples;
  sum.timed += weight;
  sum.timed_ns += value * weight;
  sum.min_ns = std::min(sum.min_ns, value);
  sum.max_ns = std::max(sum.max_ns, value);
}

void Recorder::prepare(std::uint64_t inputs_done) {
  shm::Batch& batch = *area_.batch;
  if (!dirty_ || batch.applied == inputs_done) {
    return;  // the next commit counts it
  }
  for (std::size_t i = 0; i < deltas_.size(); ++i) {
    const shm::HostedStats& stats = stats_[first_ + i];
    const Delta& sum = deltas_[i];
    const std::uint64_t timed = get(stats.timed);
    area_.after[first_ + i] = {
        .items = get(stats.items) + sum.items,
        .samples = get(stats.samples) + sum.samples,
        .errors = get(stats.errors) + sum.errors,
        .timed = timed + sum.timed,
        .timed_ns = get(stats.timed_ns) + sum.timed_ns,
        .total_ns = get(stats.total_ns) + sum.total_ns,
        .min_ns = timed == 0 ? (sum.timed == 0 ? 0 : sum.min_ns) : std::min(get(stats.min_ns), sum.min_ns),
        .max_ns = std::max(get(stats.max_ns), sum.max_ns)};
  }
  batch.samples = samples_;
  batch.row_base = rows_.head();
  batch.row_room = rows_.room();
  batch.lost = rows_.lost() + (rows_.enabled() && sampled_ > batch.row_room ? sampled_ - batch.row_room : 0);
  put(batch.progress, 0);
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
  if (sampled_ > 0) {
    apply_rows();
  }
  if (samples_ > 0) {
    apply_histogram();
    note_windows(now);
  }
  apply_figures();
  rows_.adapt(sampled_, now);
  std::fill(deltas_.begin(), deltas_.end(), Delta{});
  samples_ = 0;
  sampled_ = 0;
  dirty_ = false;
}

void Recorder::apply_rows() {
  const shm::Batch& batch = *area_.batch;
  std::uint64_t put_rows = 0;
  for (std::size_t i = 0; i < batch.samples && put_rows < batch.row_room; ++i) {
    const shm::Sample& sample = area_.samples[i];
    if (sample.is_row != 0) {
      rows_.put(batch.row_base + put_rows++, sample.row);
    }
  }
  rows_.publish(batch.row_base + put_rows, batch.lost);
}

/// Sample n's new bucket value is kept until sample n + 1 is through, so that a step can be done again.
void Recorder::apply_histogram() {
  shm::Batch& batch = *area_.batch;
  const auto bucket = [&](std::uint64_t i) -> std::atomic<std::uint64_t>& {
    const shm::Row& row = area_.samples[i].row;
    return stats_[std::min<std::size_t>(row.hosted(), stats_.size() - 1)].histogram[shm::bucket_of(row.ns())];
  };
  std::uint64_t i = get(batch.progress);
  if (i > 0 && i <= batch.samples) {
    put(bucket(i - 1), get(batch.redo[(i - 1) % 2]));  // was perhaps cut off before this store
  }
  for (; i < batch.samples; ++i) {
    std::atomic<std::uint64_t>& to = bucket(i);
    const std::uint64_t value = get(to) + area_.samples[i].weight;
    put(batch.redo[i % 2], value);
    put(batch.progress, i + 1);
    put(to, value);
  }
}

void Recorder::apply_figures() {
  for (std::size_t i = 0; i < deltas_.size(); ++i) {
    shm::HostedStats& stats = stats_[first_ + i];
    const shm::HostedAfter& after = area_.after[first_ + i];
    stats.items.store(after.items, std::memory_order_relaxed);
    stats.samples.store(after.samples, std::memory_order_relaxed);
    stats.errors.store(after.errors, std::memory_order_relaxed);
    stats.timed.store(after.timed, std::memory_order_relaxed);
    stats.timed_ns.store(after.timed_ns, std::memory_order_relaxed);
    stats.total_ns.store(after.total_ns, std::memory_order_relaxed);
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
    shm::HostedStats::Window& slot = stats_[first_ + i].windows[window_ % 2];
    const bool fresh = get(slot.number) != window_;
    slot.min_ns.store(fresh ? sum.min_ns : std::min(get(slot.min_ns), sum.min_ns), std::memory_order_relaxed);
    slot.max_ns.store(fresh ? sum.max_ns : std::max(get(slot.max_ns), sum.max_ns), std::memory_order_relaxed);
    put(slot.number, window_);
  }
}

}  // namespace pystream::profile
