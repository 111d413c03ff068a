// What replicas of a stage give, through pystream::Pipeline: of a stage that waits, of one that computes, of one whose
// times differ, and what they cost where the stage does nothing.

#include <chrono>
#include <cmath>
#include <pystream/pystream.hpp>
#include <random>
#include <thread>

#include "bench/chain_stages.hpp"
#include "bench/harness.hpp"

namespace {

using namespace pystream::bench;
using namespace std::chrono_literals;
using pystream::Pipeline;
using pystream::Share;
using Nanoseconds = std::chrono::nanoseconds;

constexpr const char* kUnit = "items/s";
using Item = Block<64>;

/// source() → the stage in so many replicas → sink(): items a second from the first item to the end.
template <class Stage>
double run_replicas(std::uint64_t items, std::uint32_t replicas, const Stage& stage, RunTimes& times,
                    pystream::Share share = {}) {
  times.reset();
  times.open = true;
  pystream::StageOptions options;
  options.replicas = replicas;
  options.share = std::move(share);
  Pipeline pipeline;
  pipeline.source(TypedNumbers<64>(items, &times));
  pipeline.add(stage, "Stage", options);
  pipeline.sink(TypedSum<64>(&times));
  if (pipeline.run().out != items) {
    std::fprintf(stderr, "items were lost\n");
    std::exit(EXIT_FAILURE);
  }
  return static_cast<double>(items) / times.seconds();
}

Item sleep_for(Item item) {
  std::this_thread::sleep_for(1ms);
  return item;
}

Item compute(Item item) {
  const std::int64_t until = pystream::base::now_ns() + 100'000;
  while (pystream::base::now_ns() < until) {
    ++item[1];
  }
  item[1] = 0;
  return item;
}

/// Exponential service times with a mean of a millisecond, the same for each item whatever replica it comes to.
Item sleep_as_drawn(Item item) {
  std::mt19937_64 random(item[0]);
  std::this_thread::sleep_for(Nanoseconds(static_cast<std::int64_t>(std::exponential_distribution<>(1e-6)(random))));
  return item;
}

Share by_number() {
  return Share::key([](const Item& item) { return item[0]; });
}

Item pass(Item item) {
  ++item[0];
  return item;
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("replicas", argc, argv);
  const Shared<RunTimes> times;
  const std::uint64_t slow = bench.scaled<std::uint64_t>(2'000, 400);
  const std::uint64_t busy = bench.scaled<std::uint64_t>(20'000, 4'000);
  const std::uint64_t fast = bench.scaled<std::uint64_t>(40'000'000, 5'000'000);
  bench.measure("sleeps for 1 ms", kUnit,
                {{"one", [&] { return run_replicas(slow, 1, sleep_for, *times); }},
                 {"4 replicas", [&] { return run_replicas(4 * slow, 4, sleep_for, *times); }}});
  bench.measure(
      "sleeps for 1 ms in the mean, exponential", kUnit,
      {{"one", [&] { return run_replicas(slow, 1, sleep_as_drawn, *times); }},
       {"4 replicas", [&] { return run_replicas(4 * slow, 4, sleep_as_drawn, *times); }},
       {"4 replicas, least loaded",
        [&] { return run_replicas(4 * slow, 4, sleep_as_drawn, *times, Share::least_loaded()); }},
       {"4 replicas, by key", [&] { return run_replicas(4 * slow, 4, sleep_as_drawn, *times, by_number()); }}});
  bench.measure("computes for 100 us", kUnit,
                {{"one", [&] { return run_replicas(busy, 1, compute, *times); }},
                 {"2 replicas", [&] { return run_replicas(2 * busy, 2, compute, *times); }}});
  bench.measure(
      "empty stage, 64 B", kUnit,
      {{"one", [&] { return run_replicas(fast, 1, pass, *times); }},
       {"2 replicas", [&] { return run_replicas(fast, 2, pass, *times); }},
       {"2 replicas, least loaded", [&] { return run_replicas(fast, 2, pass, *times, Share::least_loaded()); }},
       {"2 replicas, by key", [&] { return run_replicas(fast, 2, pass, *times, by_number()); }}});
  return bench.finish();
}
