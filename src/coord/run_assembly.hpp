#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "coord/coordinator.hpp"
#include "coord/launcher.hpp"
#include "coord/profiler_client.hpp"
#include "plan/topology.hpp"
#include "shm/segment.hpp"

/// Creates what a Coordinator needs to run a plan, for every program that runs one.
namespace pystream::coord {

/// What is to be run. The plan and the topology live as long as the run.
struct RunSpec {
  std::string name;  ///< of the pipeline, for people
  const plan::Plan* plan = nullptr;
  const plan::Topology* topology = nullptr;
  std::string plan_text{};                 ///< for the profile
  std::filesystem::path worker_program{};  ///< keeps profile and dead letters; empty: there are neither
  bool workers_are_forked = false;         ///< they must not open the profile database
  ProfilerClient::Warn warn{};             ///< gets the reason if there is no profile
};

/// The shared memory of a run. `checkpoint_bytes` and `plan_text`: see setup::segment_spec().
shm::Segment make_segment(const plan::Plan& plan, const plan::Topology& topology,
                          std::span<const std::uint64_t> checkpoint_bytes = {}, std::string plan_text = {});

/// The profiler process of a run and, if there is none, why. A run without a profile keeps its dead letters all the
/// same.
struct Profiling {
  std::unique_ptr<ProfilerClient> profiler;
  std::string failure;  ///< empty: the profile is not wanted

  /// Never throws for lack of a database. REQUIRES: no worker was started yet; `segment` lives longer.
  static Profiling start(const RunSpec& spec, const shm::Segment& segment);
};

/// Shared memory, profiler process and launcher of one run. The launcher starts the workers of `spec.topology`.
class RunAssembly {
 public:
  RunAssembly(RunSpec spec, shm::Segment segment, std::unique_ptr<Launcher> launcher);
  RunAssembly(const RunAssembly&) = delete;
  RunAssembly& operator=(const RunAssembly&) = delete;

  /// The parts that do not depend on the program; lives no longer than this object.
  RunSetup setup() const;
  const shm::Segment& segment() const { return segment_; }
  const Profiling& profiling() const { return profiling_; }

 private:
  RunSpec spec_;
  shm::Segment segment_;
  Profiling profiling_;
  std::unique_ptr<Launcher> launcher_;
};

}  // namespace pystream::coord
