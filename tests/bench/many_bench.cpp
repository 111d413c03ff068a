// 1 to 1,000 workers in a row, items of 64 bytes: processor time for each item and hop. On a machine with fewer cores
// than workers that is the figure; the rate follows from it. Beside them the bare chain of as many processes: what so
// many processes and their memory cost a core's caches whatever they run.

#include <string>

#include "bench/bare_chain.hpp"
#include "bench/chain_stages.hpp"
#include "bench/harness.hpp"

namespace {

using namespace pystream;
using namespace pystream::bench;

constexpr std::size_t kBytes = 64;

/// Processor time that all workers took from their first item on.
using CpuTime = std::atomic<std::int64_t>;

struct CpuOfWorker {
  explicit CpuOfWorker(CpuTime* total_ns) : total_ns(total_ns) {}
  void begin() {
    if (began_ns == 0) {
      began_ns = process_cpu_ns();
    }
  }
  void end() { *total_ns += process_cpu_ns() - began_ns; }
  CpuTime* total_ns;
  std::int64_t began_ns = 0;
};

class CountedAddOne final : public Stage<Block<kBytes>> {
 public:
  explicit CountedAddOne(CpuTime* total_ns) : cpu_(total_ns) {}
  Block<kBytes> operator()(Block<kBytes> item) override {
    cpu_.begin();
    ++item[0];
    return item;
  }
  void cleanup() override { cpu_.end(); }

 private:
  CpuOfWorker cpu_;
};

struct Cost {
  double cpu_ns = 0;  ///< an item and hop
  double items_per_s = 0;
};

/// Only the stages' time counts, so that one worker is one and not three: each has one hop before it.
Cost run(std::size_t workers, std::uint64_t items) {
  const Shared<RunTimes> times;
  const Shared<CpuTime> cpu_ns;
  ForkPipeline pipeline(chain_of(stage_factory<TypedNumbers<kBytes>>(items, times.get()),
                                 stage_factory<CountedAddOne>(cpu_ns.get()), workers,
                                 stage_factory<TypedSum<kBytes>>(times.get())));
  run_whole(pipeline, items, *times);
  return {.cpu_ns = static_cast<double>(cpu_ns->load()) / static_cast<double>(items * workers),
          .items_per_s = static_cast<double>(items) / times->seconds()};
}

/// Nanoseconds of processor time an item and hop, in rings of the size that pystream's have among so many.
double run_bare(std::size_t workers, std::uint64_t items) {
  const int nodes = static_cast<int>(workers) + 2;
  const BareShape shape{.ring_bytes = workers >= 1000 ? std::size_t{512} << 10 : std::size_t{1} << 20, .batch = 1024};
  const auto cpu_ns = [&](std::uint64_t count) {
    const double before = cpu_of_children_ns();
    run_bare_chain<kBytes>(nodes, count, shape);
    return cpu_of_children_ns() - before;
  };
  const double start = cpu_ns(1);
  return (cpu_ns(items) - start) / static_cast<double>(items * (workers + 1));
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("many", argc, argv);
  const std::uint64_t hops = bench.scaled<std::uint64_t>(100'000'000, 6'000'000);
  const std::uint64_t fewest = bench.scaled<std::uint64_t>(1'000'000, 10'000);  // else the start of the workers counts
  for (int round = 0; round < bench.repetitions(); ++round) {
    for (const std::size_t workers : {1, 2, 4, 16, 64, 256, 1000}) {
      const std::string name = std::to_string(workers) + (workers == 1 ? " worker" : " workers");
      const bool enough = workers == 1000 && round >= 3 && bench.is_short();  // their start takes most of the time
      if (enough || !bench.wants("in a row", name)) {
        continue;
      }
      const std::uint64_t items = std::max(fewest, std::min(hops / workers, hops / 16));
      const Cost cost = run(workers, items);
      bench.add("in a row", "ns of CPU/hop", name, cost.cpu_ns);
      bench.add("rate", "items/s", name, cost.items_per_s);
      if (workers >= 4 && !bench.is_short()) {
        bench.add("bare chain", "ns of CPU/hop", name, run_bare(workers, items));
      }
    }
  }
  return bench.finish();
}
