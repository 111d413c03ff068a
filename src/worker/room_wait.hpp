#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "shm/ring_writer.hpp"
#include "worker/batch_sizer.hpp"
#include "worker/committer.hpp"
#include "worker/inputs.hpp"
#include "worker/link_output.hpp"
#include "worker/meter.hpp"
#include "worker/monitor.hpp"

namespace pystream::worker {

/// The output link is full in the middle of an input: publishes the finished outputs, releases what is done, and sleeps
/// until there may be room.
class RoomWait final : public RoomMaker {
 public:
  /// The parts may be constructed later than this.
  RoomWait(shm::RingWriter& ring, Inputs& inputs, Committer& committer, Meter& meter, Monitor& monitor,
           BatchSizer& sizer, std::int64_t spin_ns)
      : ring_(ring),
        inputs_(inputs),
        committer_(committer),
        meter_(meter),
        monitor_(monitor),
        sizer_(sizer),
        spin_ns_(spin_ns) {}

  /// The stage answers later than it takes its inputs: only the executor knows which of them are done.
  void leave_inputs() { leaves_inputs_ = true; }
  /// In a row the link may be full of parts of one input, and have no room before the segments behind this one take out
  /// what came back from the child. `run_behind` lets them; false if there was nothing.
  void set_behind(std::function<bool()> run_behind) { run_behind_ = std::move(run_behind); }

  void make_room() override;

 private:
  shm::RingWriter& ring_;
  Inputs& inputs_;
  Committer& committer_;
  Meter& meter_;
  Monitor& monitor_;
  BatchSizer& sizer_;
  std::int64_t spin_ns_;
  bool leaves_inputs_ = false;
  std::function<bool()> run_behind_;
};

}  // namespace pystream::worker
