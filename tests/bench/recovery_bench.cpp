#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/fork_pipeline.hpp"
#include "bench/harness.hpp"
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
StageFactory factory() {
  return [] { return detail::adapt(std::make_unique<T>()); };
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

void report(Bench& bench, const std::string& method, const std::vector<std::int64_t>& times_ns) {
  std::vector<double> times;
  for (const std::int64_t ns : times_ns) {
    times.push_back(static_cast<double>(ns) * 1e-6);
    bench.add("kill of a worker", "ms to the first item", method, times.back());
  }
  if (!times.empty()) {
    bench.add("kill of a worker", "ms, p99", method, quantile(times, 0.99));
  }
}

void with_fork(Bench& bench, std::uint64_t kills) {
  std::vector<StageFactory> factories{factory<Numbers>()};
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
  report(bench, "fork", times);
}

void with_spawn(Bench& bench, std::uint64_t kills) {
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
  const coord::RunAssembly assembly(
      {.name = "bench", .plan = &plan, .topology = &topology},
      coord::make_segment(plan, topology, {}, plan::write_plan(plan)),
      std::make_unique<coord::SpawnLauncher>(PYSTREAM_BENCH_WORKER, std::vector<coord::WorkerStreams>()));
  coord::Coordinator coordinator(assembly.setup());
  const auto chaos = disturb(topology, coordinator, kills);
  coordinator.run();
  chaos->collect();
  report(bench, "spawn", chaos->figures().recoveries_ns);
}

}  // namespace
}  // namespace pystream::bench

int main(int argc, char** argv) {
  pystream::bench::Bench bench("recovery", argc, argv);
  const auto kills = bench.scaled<std::uint64_t>(200, 60);
  pystream::bench::with_fork(bench, kills);
  pystream::bench::with_spawn(bench, kills);
  return bench.finish();
}
