#include "worker/run_lane.hpp"

#include <algorithm>
#include <bit>

#include "base/kill_point.hpp"

namespace pystream::worker {

static_assert(detail::ItemRun::kLargest == shm::kMostInRun);

RunLane::RunLane(Hosted& hosted, shm::RingWriter& output, shm::WorkerPage& page)
    : hosted_(hosted),
      output_(output),
      sizes_(hosted.run_sizes()),
      run_{.named_number = page.number, .named_sequence = page.sequence} {}

/// Reserves room for what `limit` items may give; how many items that is.
std::uint32_t RunLane::room(std::uint32_t limit) {
  limit = std::min(limit, detail::ItemRun::kLargest);
  base::kill_point(base::KillPoint::before_run);
  if (sizes_.out == 0) {
    return limit;
  }
  const std::uint32_t items = output_.try_reserve_run(sizes_.out, limit);
  run_.out = output_.run_start();
  return items;
}

void RunLane::work() {
  hosted_.process_run(run_);
  base::kill_point(base::KillPoint::in_run);
}

std::uint32_t RunLane::keep() {
  if (run_.given != 0) {
    output_.finish_run(sizes_.out, run_.given, {.sequence = run_.sequence, .part = 0, .entered_ns = entered_ns_});
  }
  return static_cast<std::uint32_t>(std::popcount(run_.given));
}

}  // namespace pystream::worker
