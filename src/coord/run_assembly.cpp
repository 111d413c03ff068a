#include "coord/run_assembly.hpp"

#include <utility>

#include "base/blocked_signals.hpp"
#include "setup/layout.hpp"

namespace pystream::coord {

shm::Segment make_segment(const plan::Plan& plan, const plan::Topology& topology,
                          std::span<const std::uint64_t> checkpoint_bytes, std::string plan_text) {
  const base::BlockedSignals blocked;
  return shm::Segment::create(setup::segment_spec(topology, checkpoint_bytes, std::move(plan_text), plan.profiler));
}

Profiling Profiling::start(const RunSpec& spec, const shm::Segment& segment) {
  if (spec.worker_program.empty()) {
    return {.profiler = nullptr, .failure = "the worker program, which writes it, was not found"};
  }
  try {
    const profile::RunInfo info =
        describe_run(*spec.plan, *spec.topology, spec.plan_text, spec.name, spec.workers_are_forked);
    if (!spec.plan->profiler.enabled) {
      keep_only_letters(segment, info);
      return {};
    }
    return {.profiler = ProfilerClient::spawn(spec.worker_program, segment, info, spec.warn), .failure = {}};
  } catch (const std::exception& error) {
    spec.warn(std::string("no profile is written: ") + error.what());
    return {.profiler = nullptr, .failure = error.what()};
  }
}

RunAssembly::RunAssembly(RunSpec spec, shm::Segment segment, std::unique_ptr<Launcher> launcher)
    : spec_(std::move(spec)),
      segment_(std::move(segment)),
      profiling_(Profiling::start(spec_, segment_)),
      launcher_(std::move(launcher)) {}

RunSetup RunAssembly::setup() const {
  return {.name = spec_.name,
          .topology = spec_.topology,
          .restarts = spec_.plan->restarts,
          .segment = &segment_,
          .launcher = launcher_.get(),
          .profiler = profiling_.profiler.get()};
}

}  // namespace pystream::coord
