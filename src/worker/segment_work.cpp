#include "worker/segment_work.hpp"

#include <algorithm>
#include <utility>

namespace pystream::worker {

SegmentWork::SegmentWork(SegmentParts parts, Monitor& its_monitor, DeadLetters& letters)
    : monitor(its_monitor),
      place(parts.place),
      index(parts.index),
      recorder(parts.profile, monitor.end().stats, parts.first_stage,
               static_cast<std::uint32_t>(parts.stages.size()) + (parts.exits ? 1 : 0), monitor.rows()),
      ring(std::move(parts.output), std::move(parts.key_of)),
      room(ring, inputs, committer, meter, monitor, sizer, parts.spin_ns),
      output(ring, room, flow, place),
      chain(std::move(parts.stages), output, flow, monitor, recorder, parts.first_stage),
      meter(recorder, chain, monitor, parts.exits),
      committer(ring, inputs, output, chain, meter, monitor, place, parts.checkpoints, parts.checkpoint_bytes),
      inputs(std::move(parts.inputs), parts.collect, committer.inputs_done(), ring, parts.spin_ns),
      sizer(parts.expected_item_ns, committer.has_checkpoints() || inputs.one_at_a_time()),
      faults({.of_stages = std::move(parts.faults), .limits = parts.limits},
             read_past_death(monitor.control(), parts.index), chain, output, monitor, recorder, letters) {
  recorder.recover(committer.inputs_done());
  flow.next_sequence = committer.inputs_done();
  if (may_refer()) {
    output.set_refers();
    inputs.allow_references();
  }
}

bool SegmentWork::may_refer() const {
  return inputs.any() && !inputs.several() && !inputs.link().shared() && !ring.shared() && !output.terminal() &&
         place.alone() && ring.overflow() == shm::Overflow::block &&
         static_cast<shm::Overflow>(inputs.link().link().overflow) == shm::Overflow::block;
}

}  // namespace pystream::worker
