#include "setup/layout.hpp"

#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

namespace pystream::setup {
namespace {

constexpr std::uint64_t kRingBytes = 1 << 20;
constexpr std::uint64_t kSmallestRing = 64 << 10;
constexpr std::uint64_t kAllRings = 512 << 20;  ///< the rings of very many links are smaller
constexpr std::uint64_t kLargeAtOnce = 4;
constexpr std::uint64_t kRows = 32 << 10;
constexpr std::uint64_t kFewestRows = 1 << 10;
constexpr std::uint64_t kAllRows = (64 << 20) / sizeof(shm::Row);

/// A time bound learns from how a consumer works off this link alone. One that reads several links waits for the
/// others, a row waits for its children, and the user's process reads when it likes.
std::uint64_t time_limit_ns(const plan::Topology& topology, const plan::LinkSpec& link) {
  const bool applies = !link.answers && link.options.overflow == plan::Overflow::block &&
                       std::ranges::all_of(link.consumers, [&](plan::SegmentRef at) {
                         return !topology.workers[at.worker].external && topology.segment(at).inputs.size() == 1;
                       });
  return applies ? static_cast<std::uint64_t>(link.options.time.value_or(plan::kTimeLimit).count()) : 0;
}

shm::Answers answers_of(const plan::LinkSpec& link) {
  if (!link.answers) {
    return shm::Answers::as_it_likes;
  }
  return link.one_answer ? shm::Answers::one : shm::Answers::each;
}

shm::LinkSize size_of(const plan::Topology& topology, const plan::LinkSpec& link, std::uint64_t ring_bytes) {
  if (link.is_terminal()) {
    return {.producer = link.producer.worker, .consumers = {link.producer.worker}};
  }
  const std::uint64_t limit = link.item_parts * link.options.bytes.value_or(plan::kItemLimit);
  // Each replica has as many items in front of it as a stage alone would.
  const std::uint64_t shares = link.deals() ? link.consumers.size() : 1;
  std::vector<std::uint32_t> consumers;
  for (const plan::SegmentRef consumer : link.consumers) {
    consumers.push_back(consumer.worker);
  }
  if (link.follower) {
    consumers.push_back(link.follower->worker);
  }
  return {.producer = link.producer.worker,
          .consumers = std::move(consumers),
          .ring_bytes = std::clamp(std::bit_ceil(limit), kSmallestRing, ring_bytes),
          .item_limit = limit,
          .items_limit = shares * link.options.items.value_or(0),
          .large_limit = shares * link.options.items.value_or(kLargeAtOnce),
          .time_limit_ns = time_limit_ns(topology, link),
          .answers = answers_of(link),
          .overflow = link.options.overflow,
          .sharing = link.sharing};
}

}  // namespace

shm::SegmentSpec segment_spec(const plan::Topology& topology, std::span<const std::uint64_t> checkpoint_bytes,
                              std::string plan_text, const plan::ProfilerOptions& profiler) {
  shm::SegmentSpec spec;
  spec.plan = std::move(plan_text);
  const std::uint64_t share = std::bit_floor(kAllRings / std::max<std::uint64_t>(topology.item_links().size(), 1));
  const std::uint64_t ring_bytes = std::clamp(share, kSmallestRing, kRingBytes);
  const std::uint64_t row_share = std::bit_floor(kAllRows / std::max<std::uint64_t>(topology.workers.size(), 1));
  const std::uint64_t rows = std::max(std::bit_ceil(profiler.rows_per_second / 2), kRows);
  for (const plan::LinkSpec& link : topology.links) {
    spec.links.push_back(size_of(topology, link, ring_bytes));
  }
  for (const plan::WorkerSpec& worker : topology.workers) {
    shm::WorkerSize size{.stages = 0, .segments = static_cast<std::uint32_t>(worker.segments.size())};
    if (worker.runs_row()) {
      size.rows = profiler.enabled ? std::clamp(row_share, kFewestRows, rows) : 0;
      size.tracks_pipeline = topology.leaves_pipeline(worker.segments.back());
    }
    for (const plan::Segment& segment : worker.segments) {
      std::uint64_t state = 0;
      for (const plan::StageId stage : segment.stages) {
        const std::uint64_t bytes = stage < checkpoint_bytes.size() ? checkpoint_bytes[stage] : 0;
        state += bytes > 0 ? bytes + sizeof(std::uint64_t) : 0;
      }
      size.stages += static_cast<std::uint32_t>(segment.stages.size());
      size.checkpoint_bytes = std::max(size.checkpoint_bytes, state);
    }
    spec.workers.push_back(size);
  }
  return spec;
}

}  // namespace pystream::setup
