// What a user gets from pystream::Pipeline, beside the chain of workers that the other benchmarks put together by hand
// and beside oneTBB's pipeline: 64 B items through three stages that add 1.

#include <pystream/pystream.hpp>
#include <thread>

#include "bench/chain_stages.hpp"
#include "bench/harness.hpp"
#ifdef PYSTREAM_HAVE_TBB
#include "bench/tbb_chain.hpp"
#endif

namespace {

using namespace pystream::bench;
using namespace std::chrono_literals;
using pystream::Pipeline;

constexpr std::size_t kStages = 3;
constexpr const char* kUnit = "items/s";
using Item = Block<64>;

void add_stages(Pipeline& pipeline) {
  for (std::size_t i = 0; i < kStages; ++i) {
    pipeline.add([](Item item) {
      ++item[0];
      return item;
    });
  }
}

void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "%s\n", what);
    std::exit(EXIT_FAILURE);
  }
}

double rate(std::uint64_t items, std::int64_t began_ns) {
  return static_cast<double>(items) / (static_cast<double>(pystream::base::now_ns() - began_ns) * 1e-9);
}

/// source() and sink(), from the first item to the end.
double run_ends(std::uint64_t items, RunTimes& times) {
  times.reset();
  times.open = true;
  Pipeline pipeline;
  pipeline.source(TypedNumbers<64>(items, &times));
  add_stages(pipeline);
  pipeline.sink(TypedSum<64>(&times));
  require(pipeline.run().out == items, "items were lost");
  return static_cast<double>(items) / times.seconds();
}

/// The chain of the other benchmarks.
double run_workers(std::uint64_t items, RunTimes& times) {
  ForkPipeline pipeline(typed_chain<64>(items, kStages, &times));
  run_whole(pipeline, items, times);
  return static_cast<double>(items) / times.seconds();
}

const pystream::ParallelOptions kAll{.block_output = true, .output_timeout = 60s, .results = pystream::Results::all};

/// One thread feeds, this one reads.
double run_singly(std::uint64_t items) {
  Pipeline pipeline;
  add_stages(pipeline);
  pipeline.parallelize(kAll);
  const std::int64_t began = pystream::base::now_ns();
  std::jthread feeder([&] {
    for (std::uint64_t i = 0; i < items; ++i) {
      require(pipeline.forward(Item{i}), "an item found no room");
    }
  });
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < items; ++i) {
    sum += pipeline.get_results<Item>().value()[0];
  }
  require(sum == items * (items - 1) / 2 + items * kStages, "items were lost");
  return rate(items, began);
}

double run_together(std::uint64_t items) {
  constexpr std::uint64_t kAtOnce = 1'000;
  Pipeline pipeline;
  add_stages(pipeline);
  pipeline.parallelize(kAll);
  const std::int64_t began = pystream::base::now_ns();
  std::jthread feeder([&] {
    const std::vector<Item> batch(kAtOnce, Item{1});
    for (std::uint64_t i = 0; i < items; i += kAtOnce) {
      require(pipeline.forward_all(batch) == kAtOnce, "an item found no room");
    }
  });
  std::uint64_t sum = 0;
  for (std::uint64_t taken = 0; taken < items;) {
    const std::vector<Item> results = pipeline.get_all_results<Item>(kAtOnce);
    taken += results.size();
    for (const Item& item : results) {
      sum += item[0];
    }
  }
  require(sum == items * (1 + kStages), "items were lost");
  return rate(items, began);
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("pipeline", argc, argv);
#ifndef PYSTREAM_HAVE_TBB
  bench.missing("oneTBB", "libtbb-dev");
#endif
  const std::uint64_t items = bench.scaled<std::uint64_t>(40'000'000, 5'000'000);
  const Shared<RunTimes> times;
  bench.measure("64 B", kUnit,
                {
                    {"source() and sink()", [&] { return run_ends(items, *times); }},
                    {"workers put together by hand", [&] { return run_workers(items, *times); }},
                    {"forward_all() and get_all_results()", [&] { return run_together(items / 4); }},
                    {"forward() and get_results()", [&] { return run_singly(items / 16); }},
#ifdef PYSTREAM_HAVE_TBB
                    {"oneTBB, by value", [&] { return tbb_rate<Item, false>(items / 8); }},
#endif
                });
  return bench.finish();
}
