#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "coord/supervisor.hpp"
#include "shm/segment.hpp"

/// Converts between a worker's pages in the segment and the plain values of the Supervisor.
namespace pystream::coord {

using WorkerPages = shm::SupervisorView::Worker;

/// For a worker that is about to start. REQUIRES: its predecessor was reaped.
void write_start(shm::ControlPage& control, const StartWorker& start, std::uint64_t items_limit);

/// True once the worker's page is its own and no longer that of its predecessor.
bool is_attached(const WorkerPages& pages);

/// True once the worker has made its stages and waits for items, or is further.
bool is_ready(const WorkerPages& pages);

WorkerView read_view(const WorkerPages& pages);

/// The item that a worker gave up last.
struct GivenUp {
  std::uint32_t stage = 0;  ///< of the worker, from 0
  std::uint64_t sequence = 0;
  std::uint32_t attempts = 0;
  std::string reason;
};
/// nullopt: none since the pipeline began, or they follow one another too fast to be read.
std::optional<GivenUp> read_given_up(const WorkerPages& pages);

}  // namespace pystream::coord
