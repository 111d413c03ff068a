#pragma once

#include <span>
#include <vector>

#include "base/unique_fd.hpp"
#include "shm/mapping.hpp"
#include "shm/segment_abi.hpp"

namespace pystream::shm {

/// A segment as it was attached: immutable, and shared with whoever maps more of it later.
struct SegmentContents {
  base::UniqueFd fd;
  SegmentHeader header{};
  std::vector<LinkEntry> links;
  std::vector<ConsumerEntry> consumers;
  std::vector<WorkerEntry> workers;
  Mapping tables;

  /// Checks magic, version, sizes and every offset. Throws Error if this is no segment.
  explicit SegmentContents(base::UniqueFd of);

  std::span<const ConsumerEntry> consumers_of(const LinkEntry& link) const {
    return std::span(consumers).subspan(link.first_consumer, link.consumers);
  }
};

}  // namespace pystream::shm
