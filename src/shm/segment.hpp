#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "shm/segment_abi.hpp"

/// The shared memory of one pipeline: a sealed memfd that the coordinator lays out once and workers map in parts.
namespace pystream::shm {

/// A mapped range; unmapped on destruction. Never inherited by children (MADV_DONTFORK).
class Mapping {
 public:
  Mapping() = default;
  Mapping(std::shared_ptr<void> keep, std::byte* data, std::size_t size)
      : keep_(std::move(keep)), data_(data), size_(size) {}
  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  std::shared_ptr<void> keep_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// How much one link should hold; see layout() in worker/layout.hpp for the defaults.
struct LinkSize {
  std::uint32_t producer = 0;
  std::uint32_t consumer = 0;
  std::uint64_t ring_bytes = 0;   ///< a power of two of at least a page; 0: terminal
  std::uint64_t item_limit = 0;   ///< bytes of the largest item
  std::uint64_t items_limit = 0;  ///< 0: as many as fit
  std::uint64_t large_limit = 4;
  bool answers = false;
  Overflow overflow = Overflow::block;
};

struct WorkerSize {
  std::uint32_t hosted = 0;
  std::uint32_t segments = 1;
  std::uint64_t checkpoint_bytes = 0;  ///< of one copy, without header
  bool tracks_pipeline = false;        ///< items leave the main pipeline here
  std::uint64_t rows = 0;              ///< a power of two; 0: no rows
};

struct SegmentSpec {
  std::vector<WorkerSize> workers;
  std::vector<LinkSize> links;
  std::string plan;
};

/// Bytes a segment takes at once, and at most when every link is full of large items.
struct Footprint {
  std::uint64_t reserved = 0;
  std::uint64_t limit = 0;
};
Footprint footprint(const SegmentSpec& spec);

struct SegmentContents;

/// The large areas upstream of one link, to which its records may refer. One is mapped, read-only, when a record refers
/// to it for the first time: of a thousand workers in a row most never see a reference.
class Upstream {
 public:
  struct Area {
    std::uint64_t link = 0;
    std::uint64_t bytes = 0;  ///< a power of two
    const std::byte* data = nullptr;
    Mapping keep;
  };
  Upstream() = default;
  Upstream(std::shared_ptr<const SegmentContents> contents, std::uint32_t link)
      : contents_(std::move(contents)), below_(link) {}
  /// nullptr if no item can have come down from `link` as it was. Valid until the next call.
  const Area* find(std::uint64_t link);

 private:
  bool is_upstream(std::uint64_t link) const;

  std::shared_ptr<const SegmentContents> contents_;
  std::uint32_t below_ = 0;
  std::vector<Area> areas_;
};

/// Memory of a link as its producer maps it.
struct ProducerEnd {
  ProducerPage* own = nullptr;
  const ConsumerPage* peer = nullptr;
  std::byte* ring = nullptr;
  std::byte* large = nullptr;
  std::uint32_t id = 0;  ///< of the link
  LinkEntry link{};
  std::vector<Mapping> keep;
};

/// Memory of a link as its consumer maps it.
struct ConsumerEnd {
  const ProducerPage* peer = nullptr;
  ConsumerPage* own = nullptr;
  const std::byte* ring = nullptr;
  const std::byte* large = nullptr;
  std::byte* inbox = nullptr;  ///< nullptr: not a link that drops the oldest
  std::uint32_t id = 0;        ///< of the link
  LinkEntry link{};
  Upstream upstream;
  std::vector<Mapping> keep;
};

/// What one worker's profile has in shared memory.
struct ProfileArea {
  struct Segment {
    Batch* batch = nullptr;
    std::span<HostedAfter> after;  ///< of every HostedStats of the worker
    std::span<Row> rows;
    std::span<BucketAfter> buckets;  ///< as many as rows
  };
  RowPage* page = nullptr;
  std::span<Row> rows;
  std::vector<Segment> segments;
};

/// The pages of a worker as it maps them itself.
struct WorkerEnd {
  const ControlPage* control = nullptr;
  WorkerPage* page = nullptr;
  std::span<HostedStats> stats;
  std::byte* checkpoints = nullptr;  ///< nullptr: none
  const ProfileConfig* config = nullptr;
  ProfileArea profile;
  WorkerEntry entry{};
  std::vector<Mapping> keep;
};

/// Everything but the rings, as the coordinator and tools see it.
struct SupervisorView {
  struct Worker {
    ControlPage* control = nullptr;
    const WorkerPage* page = nullptr;
    std::span<const HostedStats> stats;
    const RowPage* rows = nullptr;
  };
  struct Link {
    const ProducerPage* producer = nullptr;
    const ConsumerPage* consumer = nullptr;
  };
  std::vector<Worker> workers;
  std::vector<Link> links;
  ProfileConfig* config = nullptr;
  std::vector<Mapping> keep;
};

class Segment {
 public:
  /// Lays out and seals a new segment. Throws std::system_error, or Error if there is not so much memory.
  /// REQUIRES: signals that interrupt system calls are blocked (posix_fallocate starts over on EINTR).
  static Segment create(const SegmentSpec& spec);
  /// Checks magic, version, sizes and every offset. Throws Error if this is no segment.
  static Segment attach(base::UniqueFd fd);

  int fd() const;
  const SegmentHeader& header() const;
  const LinkEntry& link(std::uint32_t id) const;
  const WorkerEntry& worker(std::uint32_t id) const;
  std::string_view plan() const;

  ProducerEnd map_producer(std::uint32_t link) const;
  ConsumerEnd map_consumer(std::uint32_t link) const;
  WorkerEnd map_worker(std::uint32_t worker) const;
  SupervisorView map_supervisor() const;

 private:
  explicit Segment(std::shared_ptr<const SegmentContents> contents) : contents_(std::move(contents)) {}

  std::shared_ptr<const SegmentContents> contents_;
};

}  // namespace pystream::shm
