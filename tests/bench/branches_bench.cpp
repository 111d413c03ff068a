// What branches cost, through pystream::Pipeline: two stages that each get every item and are joined, beside the same
// two stages one behind the other.

#include <pystream/pystream.hpp>
#include <tuple>

#include "bench/chain_stages.hpp"
#include "bench/harness.hpp"

namespace {

using namespace pystream::bench;
using pystream::Join;
using pystream::Pipeline;

constexpr const char* kUnit = "items/s";
using Item = Block<64>;
using Both = std::tuple<Item, Item>;

Item pass(Item item) {
  ++item[0];
  return item;
}

double rate(Pipeline& pipeline, std::uint64_t items, std::uint64_t results, RunTimes& times) {
  if (pipeline.run().out != results) {
    std::fprintf(stderr, "items were lost\n");
    std::exit(EXIT_FAILURE);
  }
  return static_cast<double>(items) / times.seconds();
}

void begin(RunTimes& times) {
  times.reset();
  times.open = true;
}

/// source() → stage → stage → sink().
double run_chain(std::uint64_t items, RunTimes& times) {
  begin(times);
  Pipeline pipeline;
  pipeline.source(TypedNumbers<64>(items, &times));
  pipeline.add(pass, "One").add(pass, "Other");
  pipeline.sink(TypedSum<64>(&times));
  return rate(pipeline, items, items, times);
}

/// The two stages as branches that are zipped: a stage behind them makes one item of both, which is the sink's.
double run_zip(std::uint64_t items, RunTimes& times) {
  begin(times);
  Pipeline views;
  views.add(pass, "One").add(pass, "Other").branch({.join = Join::zip});
  Pipeline pipeline;
  pipeline.source(TypedNumbers<64>(items, &times));
  pipeline.add(views.as_stage(), "Views");
  pipeline.add([](const Both& both) { return std::get<0>(both); }, "Left");
  pipeline.sink(TypedSum<64>(&times));
  return rate(pipeline, items, items, times);
}

double run_merge(std::uint64_t items, RunTimes& times) {
  begin(times);
  Pipeline views;
  views.add(pass, "One").add(pass, "Other").branch({.join = Join::merge});
  Pipeline pipeline;
  pipeline.source(TypedNumbers<64>(items, &times));
  pipeline.add(views.as_stage(), "Views");
  pipeline.sink(TypedSum<64>(&times));
  return rate(pipeline, items, 2 * items, times);
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("branches", argc, argv);
  const Shared<RunTimes> times;
  const std::uint64_t items = bench.scaled<std::uint64_t>(20'000'000, 3'000'000);
  bench.measure("two empty stages, 64 B", kUnit,
                {{"one behind the other", [&] { return run_chain(items, *times); }},
                 {"branches, zip", [&] { return run_zip(items, *times); }},
                 {"branches, merge", [&] { return run_merge(items, *times); }}});
  return bench.finish();
}
