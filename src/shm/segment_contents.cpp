#include "shm/segment_contents.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <bit>
#include <cstring>
#include <pystream/error.hpp>
#include <string>
#include <utility>

#include "base/system_error.hpp"
#include "shm/profile_area.hpp"

namespace pystream::shm {
namespace {

template <class T>
T copy_at(const std::byte* base, std::uint64_t offset) {
  T value;
  std::memcpy(&value, base + offset, sizeof(T));
  return value;
}

[[noreturn]] void throw_no_segment(const std::string& why) {
  throw Error("this shared memory is no pystream segment: " + why +
              "; use a worker program of the same version as the coordinator");
}

}  // namespace

SegmentContents::SegmentContents(base::UniqueFd of) : fd(std::move(of)) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    base::throw_errno("cannot look at the shared memory");
  }
  if (const int seals = ::fcntl(fd.get(), F_GET_SEALS); seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    throw_no_segment("it is not sealed against shrinking");
  }
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  if (file_bytes < kPage) {
    throw_no_segment("it has only " + std::to_string(file_bytes) + " bytes");
  }
  header = copy_at<SegmentHeader>(map(fd.get(), 0, kPage, Access::read_only).data(), 0);
  if (header.magic != kMagic) {
    throw_no_segment("wrong magic number");
  }
  if (header.version != kAbiVersion || header.header_bytes != sizeof(SegmentHeader)) {
    throw_no_segment("it has layout version " + std::to_string(header.version) + ", this program knows " +
                     std::to_string(kAbiVersion));
  }
  const std::uint64_t plan_offset = sizeof(SegmentHeader) + header.workers * sizeof(WorkerEntry) +
                                    header.links * sizeof(LinkEntry) + header.consumers * sizeof(ConsumerEntry);
  if (header.total_bytes != file_bytes || header.table_bytes > file_bytes || header.plan_offset != plan_offset ||
      header.plan_bytes > header.table_bytes || plan_offset > header.table_bytes - header.plan_bytes) {
    throw_no_segment("its sizes do not fit together");
  }
  tables = map(fd.get(), 0, header.table_bytes, Access::read_only);
  if (header.config_offset % kPage != 0 || header.config_offset > file_bytes - kPage) {
    throw_no_segment("its profile configuration lies outside");
  }
  std::uint64_t at = sizeof(SegmentHeader);
  for (std::uint32_t i = 0; i < header.workers; ++i, at += sizeof(WorkerEntry)) {
    workers.push_back(copy_at<WorkerEntry>(tables.data(), at));
  }
  for (std::uint32_t i = 0; i < header.links; ++i, at += sizeof(LinkEntry)) {
    links.push_back(copy_at<LinkEntry>(tables.data(), at));
  }
  for (std::uint32_t i = 0; i < header.consumers; ++i, at += sizeof(ConsumerEntry)) {
    consumers.push_back(copy_at<ConsumerEntry>(tables.data(), at));
  }
  const auto inside = [&](std::uint64_t offset, std::uint64_t size) {
    return offset % kPage == 0 && size <= file_bytes && offset <= file_bytes - size;
  };
  for (const WorkerEntry& worker : workers) {
    if (!inside(worker.control_offset, kPage) || worker.tracked > file_bytes / sizeof(StageStats) ||
        worker.tracked < worker.stages ||
        !inside(worker.page_offset, kWorkerPageBytes + worker.tracked * sizeof(StageStats)) ||
        worker.rows > file_bytes / sizeof(Row) || (worker.rows != 0 && !std::has_single_bit(worker.rows)) ||
        worker.batch_bytes != batch_bytes(worker) || worker.segments > file_bytes / worker.batch_bytes ||
        !inside(worker.profile_offset, profile_bytes(worker)) || worker.checkpoint_bytes % kPage != 0 ||
        (worker.checkpoint_bytes != 0 && worker.segments > file_bytes / 2 / worker.checkpoint_bytes) ||
        !inside(worker.checkpoint_offset, 2 * worker.checkpoint_bytes * worker.segments)) {
      throw_no_segment("a worker's pages lie outside");
    }
  }
  for (const ConsumerEntry& consumer : consumers) {
    if (!inside(consumer.page_offset, kPage) || consumer.worker >= header.workers) {
      throw_no_segment("a consumer's page lies outside");
    }
  }
  for (const LinkEntry& link : links) {
    if (!inside(link.producer_offset, kPage) || link.consumers == 0 || link.consumers > kMostConsumers ||
        link.first_consumer > header.consumers || link.consumers > header.consumers - link.first_consumer ||
        (link.inbox_bytes != 0 && (link.consumers != 1 || link.sharing != 0)) ||
        link.sharing > static_cast<std::uint32_t>(Sharing::key) || takers(link) == 0 ||
        !inside(link.ring_offset, link.ring_bytes) || !inside(link.large_offset, link.large_bytes) ||
        !inside(link.inbox_offset, link.inbox_bytes) ||
        (link.inbox_bytes != 0 &&
         (link.inbox_bytes < kInboxPayload || link.inbox_bytes - kInboxPayload < link.large_bytes)) ||
        (link.ring_bytes != 0 &&
         (link.item_limit > link.large_bytes || (link.large_bytes != 0 && !std::has_single_bit(link.large_bytes)))) ||
        (link.ring_bytes != 0 && (!std::has_single_bit(link.ring_bytes) || link.ring_bytes < kPage)) ||
        link.producer >= header.workers) {
      throw_no_segment("a link's pages lie outside");
    }
  }
}

}  // namespace pystream::shm
