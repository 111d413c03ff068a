#include "cli/prepared_run.hpp"

#include "coord/fd_budget.hpp"
#include "plan/plan_json.hpp"
#include "profile/home.hpp"
#include "worker/layout.hpp"

namespace pystream::cli {
namespace {

std::string run_name(const LoadedPlan& loaded) {
  return loaded.file == "-" ? "stdin" : loaded.file.stem().string();
}

plan::Topology affordable(plan::Topology topology) {
  coord::require_fds(topology);
  return topology;
}

/// nullptr: without a profile, because it is not wanted or not possible.
std::unique_ptr<coord::Bookkeeping> start_bookkeeping(const LoadedPlan& loaded, const plan::Topology& topology,
                                                      const shm::Segment& segment,
                                                      const std::function<void(const std::string&)>& warn) {
  try {
    if (const std::string note = profile::homeless_note(); !note.empty() && !loaded.plan.profiler.folder) {
      warn(note);
    }
    const profile::RunInfo run =
        coord::describe_run(loaded.plan, topology, std::string(segment.plan()), run_name(loaded));
    if (!loaded.plan.profiler.enabled) {
      coord::keep_only_letters(segment, run);
      return nullptr;
    }
    return coord::Bookkeeping::spawn(loaded.worker_program, segment, run, warn);
  } catch (const std::exception& error) {
    warn(std::string("no profile is written: ") + error.what());
    return nullptr;
  }
}

}  // namespace

PreparedRun::PreparedRun(const LoadedPlan& loaded, const std::function<void(const std::string&)>& warn)
    : loaded_(loaded),
      name_(run_name(loaded)),
      topology_(affordable(plan::make_topology(loaded.plan))),
      files_(checked_files(loaded, topology_, true)),
      locks_(files_, warn),
      segment_(shm::Segment::create(worker::segment_spec(topology_, loaded.checkpoint_bytes(topology_),
                                                         plan::write_plan(loaded.plan), loaded.plan.profiler))),
      bookkeeping_(start_bookkeeping(loaded, topology_, segment_, warn)),
      launcher_(loaded.worker_program, coord::streams_of(topology_, loaded.descriptors.of_workers(files_)),
                coord::fds_needed(topology_, 0).worker) {}

std::string PreparedRun::letters_command() const {
  const std::int64_t number = bookkeeping_ != nullptr ? bookkeeping_->run() : 0;
  const auto& folder = loaded_.plan.profiler.folder;
  return "pystream-coord dead-letters list --run " + (number > 0 ? std::to_string(number) : "last") +
         (folder ? " --folder " + folder->string() : "");
}

coord::RunSetup PreparedRun::setup() {
  return {.name = name_,
          .topology = &topology_,
          .restarts = loaded_.plan.restarts,
          .segment = &segment_,
          .launcher = &launcher_,
          .bookkeeping = bookkeeping_.get()};
}

}  // namespace pystream::cli
