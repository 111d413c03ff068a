#include "cli/prepared_run.hpp"

#include "coord/fd_budget.hpp"
#include "plan/plan_json.hpp"
#include "profile/home.hpp"

namespace pystream::cli {
namespace {

plan::Topology affordable(plan::Topology topology) {
  coord::require_fds(topology);
  return topology;
}

coord::RunAssembly assemble(const LoadedPlan& loaded, const plan::Topology& topology,
                            const std::vector<coord::FileClaim>& files, const coord::ProfilerClient::Warn& warn) {
  std::string text = plan::write_plan(loaded.plan);
  shm::Segment segment = coord::make_segment(loaded.plan, topology, loaded.checkpoint_bytes(topology), text);
  if (const std::string note = profile::homeless_note(); !note.empty() && !loaded.plan.profiler.folder) {
    warn(note);
  }
  return {{.name = loaded.run_name(),
           .plan = &loaded.plan,
           .topology = &topology,
           .plan_text = std::move(text),
           .worker_program = loaded.worker_program,
           .warn = warn},
          std::move(segment),
          std::make_unique<coord::SpawnLauncher>(loaded.worker_program,
                                                 coord::streams_of(topology, loaded.descriptors.of_workers(files)),
                                                 coord::fds_needed(topology, 0).worker)};
}

}  // namespace

PreparedRun::PreparedRun(const LoadedPlan& loaded, const coord::ProfilerClient::Warn& warn)
    : loaded_(loaded),
      topology_(affordable(plan::make_topology(loaded.plan))),
      files_(checked_files(loaded, topology_, true)),
      locks_(files_, warn),
      assembly_(assemble(loaded, topology_, files_, warn)) {}

std::string PreparedRun::letters_command() const {
  const auto& profiler = assembly_.profiling().profiler;
  const std::int64_t number = profiler != nullptr ? profiler->run() : 0;
  const auto& folder = loaded_.plan.profiler.folder;
  return "pystream-coord dead-letters list --run " + (number > 0 ? std::to_string(number) : "last") +
         (folder ? " --folder " + folder->string() : "");
}

}  // namespace pystream::cli
