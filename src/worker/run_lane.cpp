#include "worker/run_lane.hpp"

#include <algorithm>
#include <bit>

#include "base/kill_point.hpp"

namespace pystream::worker {
namespace {

/// Those of `sequences` that the bits of `items` choose: bit i is its i-th one.
std::uint64_t chosen(std::uint64_t sequences, std::uint64_t items) {
  if ((sequences & (sequences + 1)) == 0) {
    return sequences & items;  // there are no gaps
  }
  std::uint64_t all = 0;
  for (; items != 0; items >>= 1, sequences &= sequences - 1) {
    all |= (items & 1) != 0 ? sequences & -sequences : 0;
  }
  return all;
}

}  // namespace

static_assert(detail::ItemRun::kBits == shm::kRunBits);

RunLane::RunLane(Hosted& hosted, shm::RingWriter& output, Monitor& monitor)
    : hosted_(hosted), output_(output), monitor_(monitor), sizes_(hosted.run_sizes()) {}

std::uint32_t RunLane::most(std::uint32_t limit) const {
  return std::min(limit, sizes_.filters ? shm::kRunBits : shm::kMostInRun);
}

std::uint32_t RunLane::reserve() {
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

void RunLane::work(bool one_by_one) {
  run_.done = 0;
  run_.given = 0;
  run_.named_number = one_by_one ? &monitor_.end().page->number : nullptr;
  run_.named_sequence = one_by_one ? &monitor_.end().page->sequence : nullptr;
  monitor_.begin_item(run_.first_number, run_.sequence, one_by_one ? 1 : run_.items);
  hosted_.process_run(run_);
  base::kill_point(base::KillPoint::in_run);
}

shm::RunItems RunLane::given() const {
  if (sizes_.filters) {
    return {.items = static_cast<std::uint32_t>(std::popcount(run_.given)),
            .sequences = chosen(run_.sequences, run_.given)};
  }
  return {.items = run_.done, .sequences = chosen(run_.sequences, shm::low_bits(run_.done))};
}

std::uint32_t RunLane::keep() {
  if (sizes_.out == 0) {
    return 0;
  }
  const shm::RunItems items = given();
  if (items.items != 0) {
    output_.finish_run(sizes_.out, items, {.sequence = run_.sequence, .part = 0, .entered_ns = entered_ns_});
  }
  return items.items;
}

}  // namespace pystream::worker
