#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <pystream/detail/stage_adapter.hpp>
#include <vector>

#include "plan/plan.hpp"
#include "profile/recorder.hpp"
#include "shm/ring_writer.hpp"
#include "worker/batch_sizer.hpp"
#include "worker/chain.hpp"
#include "worker/committer.hpp"
#include "worker/fault_handler.hpp"
#include "worker/inputs.hpp"
#include "worker/link_output.hpp"
#include "worker/meter.hpp"
#include "worker/monitor.hpp"
#include "worker/room_wait.hpp"
#include "worker/row_place.hpp"

namespace pystream::worker {

/// What one segment is made of; see plan::Segment.
struct SegmentParts {
  /// None: the first stage is a source. Of plan::Collect::dealing the last is the dealing link.
  std::vector<shm::ConsumerEnd> inputs;
  plan::Collect collect = plan::Collect::turn;
  shm::ProducerEnd output;  ///< of a terminal link if the segment ends in a sink
  shm::KeyOf key_of{};      ///< of an output that is shared by key
  std::vector<std::unique_ptr<StageAdapter>> stages;
  std::vector<plan::FaultPolicy> faults;  ///< one for each stage
  RowPlace place;
  std::uint32_t index = 0;        ///< in the worker's row
  std::uint32_t first_stage = 0;  ///< index of the first among the worker's stages
  std::byte* checkpoints = nullptr;
  std::uint64_t checkpoint_bytes = 0;
  std::int64_t spin_ns = 0;
  const setup::ProcessLimits* limits = nullptr;  ///< nullptr: none
  shm::ProfileArea::Segment profile;
  bool exits = false;                         ///< what comes out here leaves the main pipeline
  std::int64_t expected_item_ns = 1'000'000;  ///< until it is measured; slow, so that the first results leave at once
};

/// The working parts of a segment, wired together. Executors take inputs, call the stages and report to the committer;
/// everything that they share is here.
///
/// Invariants:
/// 1. Input is released only after the commit that includes it, and not while an output record refers to it.
/// 2. Before anything that may sleep for long, what is done is committed and released.
struct SegmentWork {
  SegmentWork(SegmentParts parts, Monitor& monitor, DeadLetters& letters);
  SegmentWork(const SegmentWork&) = delete;
  SegmentWork& operator=(const SegmentWork&) = delete;

  bool from_source() const { return chain.source() != nullptr; }
  /// Output records may refer to inputs instead of copying them. Not if a link drops items, since it may drop what
  /// is referred to; not in a row, which also waits for its child, where it would not pass releases on; and not where
  /// links are shared or collected from, where what one replica or branch keeps would hold up the others.
  bool may_refer() const;

  Monitor& monitor;
  RowPlace place;
  std::uint32_t index;
  profile::Recorder recorder;
  shm::RingWriter ring;
  Flow flow;
  RoomWait room;
  LinkOutput output;
  Chain chain;
  Meter meter;
  Committer committer;
  Inputs inputs;
  BatchSizer sizer;
  FaultHandler faults;
};

}  // namespace pystream::worker
