#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <pystream/item.hpp>

#include "coord/profiler_client.hpp"
#include "plan/topology.hpp"
#include "profile/recorder.hpp"
#include "shm/segment.hpp"
#include "worker/monitor.hpp"

namespace pystream::api {

/// What the stages of a serial pipeline in this process do, recorded as workers record it: in shared memory, from which
/// a profiler process makes the profile. This process never opens the database. Used by one thread at a time.
class SerialProfile {
 public:
  /// Of a row whose parallel children run in `segment`, with a profiler process of theirs.
  explicit SerialProfile(const shm::Segment& segment);
  /// Of a row without children: with a segment and a profiler process of its own. Never throws for lack of a database.
  /// `worker_program`: as ParallelOptions::worker_program; runs as profiler process.
  SerialProfile(const plan::Plan& plan, const plan::Topology& topology, const std::string& worker_program);
  ~SerialProfile();
  SerialProfile(const SerialProfile&) = delete;
  SerialProfile& operator=(const SerialProfile&) = delete;

  /// A stage's part in the item in work. `stage`: its place in the row, parallel children not counted.
  void add(std::uint32_t stage, const Item::Tag& tag, std::int64_t ended_ns, std::int64_t spent_ns);
  /// The item in work is done; `came_out` items left the pipeline.
  void finish(const Item::Tag& tag, std::uint64_t came_out, std::int64_t now_ns);
  /// Writes what is left, and ends the profiler process that it has for itself.
  void end();

 private:
  std::unique_ptr<shm::Segment> own_segment_;
  std::unique_ptr<coord::ProfilerClient> profiler_;  ///< none: that of the children, or there is no database
  worker::Monitor monitor_;
  profile::Recorder recorder_;
  std::uint64_t mark_;
  std::uint64_t done_ = 0;
};

}  // namespace pystream::api
