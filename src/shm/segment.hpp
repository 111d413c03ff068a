#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "shm/mapping.hpp"
#include "shm/profile_area.hpp"
#include "shm/segment_abi.hpp"
#include "shm/segment_spec.hpp"
#include "shm/upstream.hpp"

/// The shared memory of one pipeline: a sealed memfd that the coordinator lays out once and workers map in parts.
namespace pystream::shm {

struct SegmentContents;

/// Memory of a link as its producer maps it.
struct ProducerEnd {
  ProducerPage* own = nullptr;
  std::vector<const ConsumerPage*> peers;  ///< at least one
  std::byte* ring = nullptr;
  std::byte* large = nullptr;
  std::uint32_t id = 0;  ///< of the link
  LinkEntry link{};
  std::vector<Mapping> keep;
};

/// Memory of a link as one of its consumers maps it.
struct ConsumerEnd {
  const ProducerPage* peer = nullptr;
  ConsumerPage* own = nullptr;
  const std::byte* ring = nullptr;
  const std::byte* large = nullptr;
  std::byte* inbox = nullptr;  ///< nullptr: not a link that drops the oldest
  std::uint32_t id = 0;        ///< of the link
  std::uint32_t index = 0;     ///< of this consumer
  LinkEntry link{};
  Upstream upstream;
  std::vector<Mapping> keep;
};

/// The pages of a worker as it maps them itself.
struct WorkerEnd {
  const ControlPage* control = nullptr;
  WorkerPage* page = nullptr;
  std::span<StageStats> stats;
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
    std::span<const StageStats> stats;
    const RowPage* rows = nullptr;
  };
  struct Link {
    const ProducerPage* producer = nullptr;
    std::vector<const ConsumerPage*> consumers;
    std::size_t takers = 0;  ///< so many of them, the first ones, take items; see shm::takers()

    /// What all takers are done with, or have released.
    std::uint64_t done_number() const { return least(&ConsumerPage::done_number, takers); }
    std::uint64_t taken_position() const { return least(&ConsumerPage::read_position, takers); }
    /// What may be overwritten.
    std::uint64_t read_position() const { return least(&ConsumerPage::read_position, consumers.size()); }
    std::uint64_t overrun() const;

   private:
    std::uint64_t least(std::atomic<std::uint64_t> ConsumerPage::*value, std::size_t of) const;
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
  std::span<const ConsumerEntry> consumers(std::uint32_t link) const;
  const WorkerEntry& worker(std::uint32_t id) const;
  std::string_view plan() const;

  ProducerEnd map_producer(std::uint32_t link) const;
  /// `index`: which of its consumers.
  ConsumerEnd map_consumer(std::uint32_t link, std::uint32_t index = 0) const;
  WorkerEnd map_worker(std::uint32_t worker) const;
  SupervisorView map_supervisor() const;

 private:
  explicit Segment(std::shared_ptr<const SegmentContents> contents) : contents_(std::move(contents)) {}

  std::shared_ptr<const SegmentContents> contents_;
};

}  // namespace pystream::shm
