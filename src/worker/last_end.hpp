#pragma once

#include "shm/ring_writer.hpp"
#include "worker/monitor.hpp"

namespace pystream::worker {

/// The life of a worker that has failed for good: behind what its predecessors have committed comes the end, so that
/// the workers behind it process all of that and end by themselves. Does nothing if the end is out already.
void end_last_output(shm::ProducerEnd output, Monitor& monitor);

}  // namespace pystream::worker
