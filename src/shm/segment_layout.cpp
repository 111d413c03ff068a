#include "shm/segment_layout.hpp"

#include <algorithm>
#include <bit>

#include "shm/profile_area.hpp"

namespace pystream::shm {
namespace {

constexpr std::uint32_t kSmallestSamples = 400;  ///< so that most batches end for other reasons

}  // namespace

SegmentLayout::SegmentLayout(const SegmentSpec& spec) {
  std::uint64_t consumers = 0;
  for (const LinkSize& size : spec.links) {
    consumers += size.consumers.size();
  }
  const std::uint64_t tables = sizeof(SegmentHeader) + spec.workers.size() * sizeof(WorkerEntry) +
                               spec.links.size() * sizeof(LinkEntry) + consumers * sizeof(ConsumerEntry);
  header_ = {.magic = kMagic,
             .version = kAbiVersion,
             .header_bytes = sizeof(SegmentHeader),
             .total_bytes = 0,
             .table_bytes = round_up(tables + spec.plan.size(), kPage),
             .workers = static_cast<std::uint32_t>(spec.workers.size()),
             .links = static_cast<std::uint32_t>(spec.links.size()),
             .plan_offset = tables,
             .plan_bytes = spec.plan.size(),
             .config_offset = 0,
             .consumers = static_cast<std::uint32_t>(consumers),
             .reserved = 0};
  take(header_.table_bytes);
  header_.config_offset = take(sizeof(ProfileConfig));
  for (const WorkerSize& size : spec.workers) {
    add(size);
  }
  for (const LinkSize& size : spec.links) {
    add(size);
  }
  header_.total_bytes = end_;
}

std::uint64_t SegmentLayout::take(std::uint64_t bytes) {
  const std::uint64_t offset = end_;
  bytes = round_up(bytes, kPage);
  if (!reserved_.empty() && reserved_.back().offset + reserved_.back().size == offset) {
    reserved_.back().size += bytes;
  } else {
    reserved_.push_back({offset, bytes});
  }
  end_ += bytes;
  return offset;
}

std::uint64_t SegmentLayout::take_sparse(std::uint64_t bytes) {
  const std::uint64_t offset = end_;
  end_ += round_up(bytes, kPage);
  return offset;
}

void SegmentLayout::add(const WorkerSize& size) {
  const std::uint32_t tracked = size.stages + (size.tracks_pipeline ? 1 : 0);
  WorkerEntry entry{.control_offset = take(sizeof(ControlPage)),
                    .page_offset = take(kWorkerPageBytes + tracked * sizeof(StageStats)),
                    .checkpoint_offset = 0,
                    .checkpoint_bytes = 0,
                    .profile_offset = 0,
                    .batch_bytes = 0,
                    .rows = size.rows,
                    .stages = size.stages,
                    .tracked = tracked,
                    .samples = std::max(kSmallestSamples, tracked),
                    .segments = size.segments};
  entry.batch_bytes = batch_bytes(entry);
  entry.profile_offset = take(profile_bytes(entry));
  if (size.checkpoint_bytes > 0) {
    entry.checkpoint_bytes = round_up(size.checkpoint_bytes + sizeof(CheckpointHeader), kPage);
    entry.checkpoint_offset = take_sparse(2 * entry.segments * entry.checkpoint_bytes);
  }
  workers_.push_back(entry);
}

void SegmentLayout::add(const LinkSize& size) {
  LinkEntry entry{};
  entry.producer_offset = take(sizeof(ProducerPage));
  entry.first_consumer = static_cast<std::uint32_t>(consumers_.size());
  entry.consumers = static_cast<std::uint32_t>(size.consumers.size());
  for (const std::uint32_t worker : size.consumers) {
    consumers_.push_back({.page_offset = take(sizeof(ConsumerPage)), .worker = worker, .reserved = 0});
  }
  entry.ring_bytes = size.ring_bytes;
  entry.ring_offset = take(size.ring_bytes);
  if (size.ring_bytes > 0) {
    entry.large_bytes = size.item_limit == 0 ? 0 : std::bit_ceil(round_up(size.item_limit, kPage));
    entry.large_offset = take_sparse(entry.large_bytes);
  }
  if (size.overflow == Overflow::drop_oldest) {
    entry.inbox_bytes = kInboxPayload + entry.large_bytes;
    entry.inbox_offset = take_sparse(entry.inbox_bytes);
  }
  entry.item_limit = size.item_limit;
  entry.items_limit = size.items_limit;
  entry.large_limit = size.large_limit;
  entry.time_limit_ns = size.time_limit_ns;
  entry.producer = size.producer;
  entry.answers = static_cast<std::uint32_t>(size.answers);
  entry.overflow = static_cast<std::uint32_t>(size.overflow);
  entry.sharing = static_cast<std::uint32_t>(size.sharing);
  links_.push_back(entry);
}

Footprint footprint(const SegmentSpec& spec) {
  const SegmentLayout layout(spec);
  Footprint result{.reserved = 0, .limit = layout.header().total_bytes};
  for (const SegmentLayout::Range& range : layout.reserved()) {
    result.reserved += range.size;
  }
  return result;
}

}  // namespace pystream::shm
