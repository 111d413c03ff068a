#pragma once

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <pystream/detail/stage_forms.hpp>
#include <vector>

#include "coord/inspect.hpp"
#include "coord/run_assembly.hpp"
#include "plan/plan.hpp"
#include "worker/worker_process.hpp"

namespace pystream::bench {

/// A parallel pipeline of forked workers with a source in front and a sink behind, as the coordinator runs it.
class ForkPipeline {
 public:
  /// The first factory makes the source, the last the sink.
  explicit ForkPipeline(std::vector<StageFactory> factories, plan::LinkOptions links = {})
      : factories_(std::move(factories)) {
    plan_.links = links;
    plan_.source = stage_node("Source");
    plan_.sink = stage_node("Sink");
    plan_.root.name = "MainPipeline";
    for (std::size_t i = 1; i + 1 < factories_.size(); ++i) {
      plan_.root.children.push_back(stage_node("Stage_" + std::to_string(i)));
    }
    topology_ = plan::make_topology(plan_);
  }

  /// From now on with a profile, if there is a folder.
  void set_profile(const plan::ProfilerOptions& options) { plan_.profiler = options; }

  /// Called in each run once every worker is ready.
  void set_ready(std::function<void()> ready) { ready_ = std::move(ready); }

  /// The whole of a run, with the start of its workers.
  /// `prepare` is called before the workers start, `finish` when all have ended.
  std::chrono::nanoseconds run(const std::function<void(coord::Coordinator&)>& prepare = {},
                               const std::function<void()>& finish = {}) {
    auto body = [&](plan::WorkerId id, base::UniqueFd segment, base::UniqueFd bell) {
      return worker::run_worker({.id = id,
                                 .segment = std::move(segment),
                                 .bell = std::move(bell),
                                 .topology = &topology_,
                                 .make = [&](plan::StageId stage) { return factories_[order_of(stage)](); },
                                 .opens_database = false,
                                 .helper_program = coord::find_worker_program()});
    };
    const coord::RunAssembly assembly(
        {.name = "bench",
         .plan = &plan_,
         .topology = &topology_,
         .worker_program = plan_.profiler.folder ? coord::find_worker_program() : std::filesystem::path(),
         .workers_are_forked = true,
         .warn = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }},
        coord::make_segment(plan_, topology_), std::make_unique<coord::ForkLauncher>(std::move(body)));
    coord::RunSetup setup = assembly.setup();
    setup.ready = ready_;
    coord::Coordinator coordinator(std::move(setup));
    if (prepare) {
      prepare(coordinator);
    }
    const auto start = std::chrono::steady_clock::now();
    coordinator.run();
    const auto end = std::chrono::steady_clock::now();
    if (finish) {
      finish();
    }
    summary_ = coordinator.summary();
    return end - start;
  }

  const plan::Topology& topology() const { return topology_; }
  const std::vector<profile::KeySummary>& summary() const { return summary_; }

 private:
  static plan::Node stage_node(std::string name) {
    plan::Node node;
    node.name = std::move(name);
    node.stage.emplace();
    return node;
  }
  /// Source, stages, sink is also the order of Topology::stages in a flat parallel plan.
  std::size_t order_of(plan::StageId stage) const { return stage; }

  std::vector<StageFactory> factories_;
  plan::Plan plan_;
  std::function<void()> ready_;
  plan::Topology topology_;
  std::vector<profile::KeySummary> summary_;
};

}  // namespace pystream::bench
