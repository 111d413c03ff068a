// Five nodes in a row, each reads an item, adds 1 and writes it: pystream's processes without and with a profile, the
// bare chain of processes (the limit), and oneTBB's pipeline of threads.

#include <filesystem>

#include "bench/bare_chain.hpp"
#include "bench/chain_stages.hpp"
#include "bench/harness.hpp"
#include "support/temp_folder.hpp"
#ifdef PYSTREAM_HAVE_TBB
#include "bench/tbb_chain.hpp"
#endif

namespace {

using namespace pystream::bench;

constexpr int kNodes = 5;
constexpr std::size_t kStages = kNodes - 2;
constexpr const char* kUnit = "items/s";

double run_pystream(const std::vector<pystream::StageFactory>& nodes, std::uint64_t items, RunTimes& times,
                    const std::filesystem::path& profile = {}) {
  ForkPipeline pipeline(nodes);
  if (!profile.empty()) {
    pipeline.set_profile({.folder = profile});
  }
  run_whole(pipeline, items, times);
  return static_cast<double>(items) / times.seconds();
}

/// Everything that takes items of this size; about `items` of them.
template <std::size_t kBytes>
void measure(Bench& bench, const std::string& subject, std::uint64_t items, const std::filesystem::path& folder) {
  const Shared<RunTimes> times;
  const auto typed = typed_chain<kBytes>(items, kStages, times.get());
  const auto changed = typed_chain<kBytes>(items, kStages, times.get(), host_add_one_in_place<kBytes>);
  const std::uint64_t raw_items = kBytes < 4096 ? items / 4 : items;  // much slower than typed stages
  const auto raw = raw_chain(raw_items, kBytes, kStages, times.get());
  std::vector<Contender> contenders{
      {"pystream, typed", [&] { return run_pystream(typed, items, *times); }},
      {"pystream, typed, profiled", [&] { return run_pystream(typed, items, *times, folder); }},
      {"pystream, typed, changed in place", [&] { return run_pystream(changed, items, *times); }},
      {"pystream, in place", [&] { return run_pystream(raw, raw_items, *times); }},
  };
  BareShape shape;
  if (bench.wants(subject, "bare chain")) {
    shape = best_bare_shape<kBytes>(kNodes, items / 4);
    contenders.push_back({"bare chain", [&] { return run_bare_chain<kBytes>(kNodes, items, shape); }});
  }
#ifdef PYSTREAM_HAVE_TBB
  // A pipeline of threads is some ten times slower than the others.
  if constexpr (kBytes <= 4096) {
    contenders.push_back({"oneTBB, by value", [&] { return tbb_rate<Block<kBytes>, false>(items / 8); }});
  }
  contenders.push_back({"oneTBB, pointers", [&] { return tbb_rate<Block<kBytes>, true>(items / 8); }});
#endif
  bench.measure(subject, kUnit, contenders);
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("chain", argc, argv);
#ifndef PYSTREAM_HAVE_TBB
  bench.missing("oneTBB", "libtbb-dev");
#endif
  const pystream::test::TempFolder folder;
  // So many that a start does not count: a pipeline measures its stages first, and records every item at first.
  const std::uint64_t items = bench.scaled<std::uint64_t>(40'000'000, 5'000'000);
  measure<64>(bench, "64 B", items, folder.path());
  measure<8>(bench, "8 B", items, folder.path());
  measure<256>(bench, "256 B", items / 2, folder.path());
  measure<4096>(bench, "4 KiB", items / 16, folder.path());
  measure<65536>(bench, "64 KiB", items / 200, folder.path());
  return bench.finish();
}
