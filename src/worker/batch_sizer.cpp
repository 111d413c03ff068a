#include "worker/batch_sizer.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace pystream::worker {
namespace {

/// How often this thread gave up its core by itself; to have it taken away does not count.
std::int64_t waits_of_this_thread() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

}  // namespace

BatchSizer::BatchSizer(std::int64_t expected_item_ns, bool one_by_one)
    : item_ns_(expected_item_ns),
      one_by_one_(one_by_one),
      careful_(slow() ? kCareful : 0),
      seen_waits_(waits_of_this_thread()) {
  set_batch();
}

void BatchSizer::set_batch() {
  const std::int64_t items = std::clamp(aim_ns_ / (item_ns_ + 1), std::int64_t{1}, std::int64_t{kLargestBatch});
  batch_ = one_by_one_ ? 1 : static_cast<std::uint32_t>(items);
}

void BatchSizer::note(std::uint32_t items, std::int64_t ns) {
  const std::int64_t measured = ns / items;
  const std::int64_t longer = ns - items * item_ns_;  // than they should have taken
  item_ns_ = std::min(measured, item_ns_ + item_ns_ / 4 + 1);
  set_batch();
  if (longer < kWaitNs) {
    careful_ -= std::min(careful_, items);
    return;
  }
  if (batch_ == 1 || own_sleep_) {
    return;  // nothing would lie uncommitted, or whose wait it was is not known
  }
  const std::int64_t waits = waits_of_this_thread();
  if (waits != seen_waits_) {
    seen_waits_ = waits;
    next_careful_ = careful_ > 0 ? next_careful_ : std::min(next_careful_ * 2, kMostCareful);
    careful_ = next_careful_;
  }
}

void BatchSizer::note_flush(std::int64_t ns) {
  aim_ns_ = std::max(kBatchAimNs, ns);
  own_sleep_ = own_sleep_ || ns >= kWaitNs;
  set_batch();
}

void BatchSizer::look_at_waits() {
  seen_waits_ = waits_of_this_thread();
  own_sleep_ = false;
}

}  // namespace pystream::worker
