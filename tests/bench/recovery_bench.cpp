#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bench/fork_pipeline.hpp"
#include "coord/chaos.hpp"
#include "coord/inspect.hpp"
#include "plan/plan_json.hpp"

/// From SIGKILL to the first item that the replacement has processed and committed, with `fork` and with `spawn`.
namespace pystream::bench {
namespace {

constexpr std::size_t kStages = 3;

struct Block {
  std::array<std::uint64_t, 8> words;
};

struct Numbers final : Source<Block> {
  std::optional<Block> next() override { return Block{}; }
};
struct Pass final : Stage<Block> {
  Block operator()(Block item) override { return item; }
};
struct Discard final : Sink<Block> {
  void operator()(Block) override {}
};

template <class T>
HostedFactory factory() {
  return [] { return detail::host(std::make_unique<T>()); };
}

/// Kills one worker at a time until `kills` have died, then ends the run.
std::unique_ptr<coord::Chaos> disturb(const plan::Topology& topology, coord::Coordinator& coordinator,
                                      std::uint64_t kills) {
  return std::make_unique<coord::Chaos>(topology, coordinator,
                                        coord::ChaosSetup{.mode = coord::ChaosMode::single,
                                                          .seed = 1,
                                                          .kills = kills,
                                                          .interval = std::chrono::milliseconds(40),
                                                          .over = [&coordinator] { coordinator.drain(); }});
}

void report(const char* method, double target_ms, std::vector<std::int64_t> times) {
  if (times.empty()) {
    std::printf("%-6s no recovery was seen\n", method);
    return;
  }
  std::sort(times.begin(), times.end());
  const auto ms = [&](double share) {
    return static_cast<double>(times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))]) * 1e-6;
  };
  std::printf("%-6s median %6.2f ms  p99 %6.2f ms  max %6.2f ms  (%zu kills; target: median %.0f ms)\n", method,
              ms(0.5), ms(0.99), ms(1), times.size(), target_ms);
}

void with_fork(std::uint64_t kills) {
  std::vector<HostedFactory> factories{factory<Numbers>()};
  factories.insert(factories.end(), kStages, factory<Pass>());
  factories.push_back(factory<Discard>());
  ForkPipeline pipeline(factories);
  std::vector<std::int64_t> times;
  std::unique_ptr<coord::Chaos> chaos;
  pipeline.run([&](coord::Coordinator& coordinator) { chaos = disturb(pipeline.topology(), coordinator, kills); },
               [&] {
                 chaos->collect();
                 times = chaos->figures().recoveries_ns;
                 chaos.reset();
               });
  report("fork", 2, times);
}

void with_spawn(std::uint64_t kills) {
  const std::vector<std::string> plugins{"libpystream_testing.so"};
  const std::string text = R"({"plugins": ["libpystream_testing.so"],
    "source": {"type": "generate", "params": {"size": 64}},
    "stages": [{"name": "A", "type": "test.add"}, {"name": "B", "type": "test.add"}, {"name": "C", "type": "test.add"}],
    "sink": {"type": "discard"}})";
  auto read = plan::read_plan(text, coord::inspect_plugins(PYSTREAM_BENCH_WORKER, plugins));
  if (const auto* faults = std::get_if<std::vector<plan::PlanFault>>(&read)) {
    throw Error(plan::to_string(faults->front(), "plan"));
  }
  const plan::Plan& plan = std::get<plan::Plan>(read);
  const plan::Topology topology = plan::make_topology(plan);
  const std::vector<std::uint64_t> no_checkpoints(topology.hosted.size());
  const worker::Layout layout = worker::make_layout(topology, no_checkpoints, plan::write_plan(plan));
  const shm::Segment segment = shm::Segment::create(layout.spec);
  coord::SpawnLauncher launcher(PYSTREAM_BENCH_WORKER, {});
  coord::Coordinator coordinator(
      {.topology = &topology, .restarts = plan.restarts, .segment = &segment, .launcher = &launcher});
  const auto chaos = disturb(topology, coordinator, kills);
  coordinator.run();
  chaos->collect();
  report("spawn", 15, chaos->figures().recoveries_ns);
}

}  // namespace
}  // namespace pystream::bench

int main(int argc, char** argv) {
  const std::uint64_t kills = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 200;
  pystream::bench::with_fork(kills);
  pystream::bench::with_spawn(kills);
}
