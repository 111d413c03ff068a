#include "shm/profile_area.hpp"

namespace pystream::shm {

std::uint64_t batch_bytes(const WorkerEntry& worker) {
  return round_up(sizeof(Batch) + std::uint64_t{worker.tracked} * sizeof(StageAfter) +
                      std::uint64_t{worker.samples} * (sizeof(Row) + sizeof(BucketAfter)),
                  kPage);
}

std::uint64_t profile_bytes(const WorkerEntry& worker) {
  return kPage + worker.segments * worker.batch_bytes + worker.rows * sizeof(Row);
}

ProfileArea profile_area(const WorkerEntry& worker, std::byte* at) {
  ProfileArea area{.page = reinterpret_cast<RowPage*>(at)};
  at += kPage;
  for (std::uint32_t i = 0; i < worker.segments; ++i, at += worker.batch_bytes) {
    auto* after = reinterpret_cast<StageAfter*>(at + sizeof(Batch));
    auto* rows = reinterpret_cast<Row*>(after + worker.tracked);
    area.segments.push_back({.batch = reinterpret_cast<Batch*>(at),
                             .after = {after, worker.tracked},
                             .rows = {rows, worker.samples},
                             .buckets = {reinterpret_cast<BucketAfter*>(rows + worker.samples), worker.samples}});
  }
  area.rows = {reinterpret_cast<Row*>(at), worker.rows};
  return area;
}

}  // namespace pystream::shm
