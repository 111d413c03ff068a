#pragma once

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <pystream/hosted.hpp>
#include <vector>

#include "coord/bookkeeping.hpp"
#include "coord/coordinator.hpp"
#include "coord/inspect.hpp"
#include "plan/plan.hpp"
#include "worker/layout.hpp"
#include "worker/worker_process.hpp"

namespace pystream::bench {

/// A parallel pipeline of forked workers with a source in front and a sink behind, as the coordinator runs it.
class ForkPipeline {
 public:
  /// The first factory makes the source, the last the sink.
  explicit ForkPipeline(std::vector<HostedFactory> factories, plan::LinkOptions links = {})
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
    const worker::Layout layout = worker::make_layout(topology_, {}, {}, plan_.profiler);
    const shm::Segment segment = shm::Segment::create(layout.spec);
    coord::ForkLauncher launcher([&](plan::WorkerId id, base::UniqueFd segment_fd, base::UniqueFd bell) {
      return worker::run_worker({.id = id,
                                 .segment = std::move(segment_fd),
                                 .bell = std::move(bell),
                                 .topology = &topology_,
                                 .checkpoint_bytes = {},
                                 .make = [&](plan::HostedId hosted) { return factories_[order_of(hosted)](); },
                                 .opens_database = false,
                                 .helper_program = coord::find_worker_program()});
    });
    std::unique_ptr<coord::Bookkeeping> bookkeeping;
    if (plan_.profiler.folder) {
      bookkeeping = coord::Bookkeeping::spawn(
          coord::find_worker_program(), segment, coord::describe_run(plan_, topology_, layout, "bench", true),
          [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); });
    }
    coord::Coordinator coordinator({.topology = &topology_,
                                    .restarts = {},
                                    .segment = &segment,
                                    .launcher = &launcher,
                                    .bookkeeping = bookkeeping.get(),
                                    .ready = ready_});
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
  /// Source, stages, sink is also the order of Topology::hosted in a flat parallel plan.
  std::size_t order_of(plan::HostedId hosted) const { return hosted; }

  std::vector<HostedFactory> factories_;
  plan::Plan plan_;
  std::function<void()> ready_;
  plan::Topology topology_;
  std::vector<profile::KeySummary> summary_;
};

}  // namespace pystream::bench
