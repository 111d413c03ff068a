// Fast stages in links with a time bound and in links without: a source, three stages that add 1, a sink.

#include "bench/chain_stages.hpp"
#include "bench/harness.hpp"

namespace {

using namespace pystream::bench;

constexpr std::size_t kStages = 3;

double run_with(std::chrono::milliseconds bound, const std::vector<pystream::StageFactory>& nodes, std::uint64_t items,
                RunTimes& times) {
  ForkPipeline pipeline(nodes, {.time = bound});
  run_whole(pipeline, items, times);
  return static_cast<double>(items) / times.seconds();
}

void measure(Bench& bench, const std::string& subject, const std::vector<pystream::StageFactory>& nodes,
             std::uint64_t items, RunTimes& times) {
  using std::chrono::milliseconds;
  bench.measure(subject, "items/s",
                {{"bounded to 100 ms", [&] { return run_with(milliseconds(100), nodes, items, times); }},
                 {"not bounded", [&] { return run_with(milliseconds(0), nodes, items, times); }}});
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("time bound", argc, argv);
  const Shared<RunTimes> times;
  const std::uint64_t items = bench.scaled<std::uint64_t>(40'000'000, 5'000'000);
  measure(bench, "64 B, typed", typed_chain<64>(items, kStages, times.get()), items, *times);
  measure(bench, "64 B, in place", raw_chain(items / 4, 64, kStages, times.get()), items / 4, *times);
  measure(bench, "4 KiB, typed", typed_chain<4096>(items / 16, kStages, times.get()), items / 16, *times);
  return bench.finish();
}
