#include "worker/batch_call.hpp"

#include <algorithm>
#include <bit>

#include "base/kill_point.hpp"
#include "worker/run_bits.hpp"

namespace pystream::worker {
static_assert(detail::ItemRun::kMost == shm::kRunBits);

BatchCall::BatchCall(StageAdapter& stage, shm::RingWriter& output, Monitor& monitor, std::int64_t late_ns)
    : stage_(stage), output_(output), monitor_(monitor), late_ns_(late_ns), sizes_(stage.run_sizes()) {}

std::uint32_t BatchCall::most(std::uint32_t limit) const {
  return std::min(limit, sizes_.filters ? shm::kRunBits : shm::kMostInRun);
}

std::uint32_t BatchCall::reserve() {
  base::kill_point(base::KillPoint::before_run);
  if (sizes_.out == 0) {
    return run_.items;
  }
  const std::uint32_t items = output_.try_reserve_run(sizes_.out, run_.items);
  if (items != 0 && items < run_.items) {
    run_.items = items;
    run_.sequences = chosen(run_.sequences, shm::low_bits(items));
  }
  run_.out = output_.run_start();
  return items;
}

/// The next items behind those that are done. Only runs without gaps have more than one part.
void BatchCall::begin_part(bool one_by_one) {
  done_before_ += part_.done;
  part_.in = run_.in + done_before_ * run_.in_step;
  part_.out = run_.out + done_before_ * sizes_.out;
  part_.items = std::min(run_.items - done_before_, detail::ItemRun::kMost);
  part_.done = 0;
  part_.sequence = run_.sequence + done_before_;
  part_.sequences = run_.items > part_.items ? shm::low_bits(part_.items) : run_.sequences;
  part_.first_number = run_.first_number + done_before_;
  monitor_.begin_item(part_.first_number, part_.sequence, one_by_one ? 1 : part_.items);
}

bool BatchCall::work(bool one_by_one) {
  const std::int64_t began = monitor_.now();
  part_ = {.in_step = run_.in_step,
           .named_number = one_by_one ? &monitor_.end().page->number : nullptr,
           .named_sequence = one_by_one ? &monitor_.end().page->sequence : nullptr};
  done_before_ = 0;
  late_ = false;
  do {
    begin_part(one_by_one);
    stage_.process_run(part_);
    late_ = monitor_.now() - began > late_ns_;
  } while (part_.done == part_.items && done() < run_.items && !late_);
  base::kill_point(base::KillPoint::in_run);
  return part_.done == part_.items;
}

shm::RunItems BatchCall::given() const {
  if (sizes_.filters) {
    return {.items = static_cast<std::uint32_t>(std::popcount(part_.given)),
            .sequences = chosen(run_.sequences, part_.given)};
  }
  return {.items = done(), .sequences = chosen(run_.sequences, shm::low_bits(done()))};
}

std::uint32_t BatchCall::keep() {
  if (sizes_.out == 0) {
    return 0;
  }
  shm::RunItems items = given();
  items.closes_each = closes_each_;
  items.closes = done() == found_ ? closes_ : closes_each_;
  if (items.items != 0) {
    output_.finish_run(sizes_.out, items, {.sequence = run_.sequence, .part = 0, .entered_ns = entered_ns_});
  }
  return items.items;
}

}  // namespace pystream::worker
