#include "worker/run_lane.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/kill_point.hpp"

namespace pystream::worker {
namespace {

// What a stage writes in front of its results is the record's header.
using Head = detail::ItemRun::Head;
static_assert(sizeof(Head) == sizeof(shm::RecordHeader) && std::is_trivially_copyable_v<Head>);
static_assert(offsetof(Head, counter) == offsetof(shm::RecordHeader, number_and_kind));
static_assert(offsetof(Head, sequence) == offsetof(shm::RecordHeader, sequence));
static_assert(offsetof(Head, size) == offsetof(shm::RecordHeader, size));
static_assert(offsetof(Head, size) + 4 == offsetof(shm::RecordHeader, part));
static_assert(detail::ItemRun::kAlign == shm::kRecordAlign);
static_assert(detail::ItemRun::stride(17) == shm::record_bytes(17));
static_assert(offsetof(Head, entered_ns) == offsetof(shm::RecordHeader, entered_ns));

}  // namespace

RunLane::RunLane(Hosted& hosted, shm::RingWriter& output, shm::WorkerPage& page)
    : hosted_(hosted),
      output_(output),
      sizes_(hosted.run_sizes()),
      run_{.heads = {}, .number = page.number, .sequence = page.sequence} {}

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
  run_.counter = output_.run_number();
  hosted_.process_run(run_);
  base::kill_point(base::KillPoint::in_run);
}

std::uint64_t RunLane::entered_sum(std::uint32_t items) const {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < items; ++i) {
    sum += static_cast<std::uint64_t>(run_.heads[i].entered_ns);
  }
  return sum;
}

std::uint64_t RunLane::given_entered_sum() const {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < run_.given; ++i) {
    Head head;
    std::memcpy(&head, run_.out + i * shm::record_bytes(sizes_.out), sizeof(head));
    sum += static_cast<std::uint64_t>(head.entered_ns);
  }
  return sum;
}

std::uint32_t RunLane::keep() {
  output_.finish_run(sizes_.out, run_.given);
  return run_.given;
}

}  // namespace pystream::worker
