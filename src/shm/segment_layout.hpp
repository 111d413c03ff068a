#pragma once

#include <cstdint>
#include <vector>

#include "shm/segment_spec.hpp"

namespace pystream::shm {

/// Where everything stands: one walk that both footprint() and Segment::create() use.
class SegmentLayout {
 public:
  struct Range {
    std::uint64_t offset;
    std::uint64_t size;
  };

  explicit SegmentLayout(const SegmentSpec& spec);

  const SegmentHeader& header() const { return header_; }
  const std::vector<WorkerEntry>& workers() const { return workers_; }
  const std::vector<LinkEntry>& links() const { return links_; }
  const std::vector<ConsumerEntry>& consumers() const { return consumers_; }
  /// What gets memory at once; the rest is sparse.
  const std::vector<Range>& reserved() const { return reserved_; }

 private:
  std::uint64_t take(std::uint64_t bytes);
  std::uint64_t take_sparse(std::uint64_t bytes);
  void add(const WorkerSize& size);
  void add(const LinkSize& size);

  SegmentHeader header_{};
  std::vector<WorkerEntry> workers_;
  std::vector<LinkEntry> links_;
  std::vector<ConsumerEntry> consumers_;
  std::vector<Range> reserved_;
  std::uint64_t end_ = 0;
};

}  // namespace pystream::shm
