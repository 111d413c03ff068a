// An item passed on unchanged through three stages: 6 MiB against 64 B. The payload is made once and looked at by
// nobody, so what counts is what passing on costs.

#include <string>

#include "bench/chain_stages.hpp"
#include "bench/harness.hpp"

namespace {

using namespace pystream;
using namespace pystream::bench;

constexpr std::size_t kStages = 3;
constexpr std::size_t kHops = kStages + 1;
constexpr std::size_t kFrame = 6 << 20;
constexpr std::uint64_t kFirstUse = 300;  ///< items until every page has memory and the workers have found their pace

struct PassOn final : RawStage {
  void operator()(const Item& in, Output& out) override { out.forward(in); }
};

class CountBytes final : public RawSink<std::uint64_t> {
 public:
  explicit CountBytes(RunTimes* times) : times_(times) {}
  void consume(const Item& in) override { cursor() += in.bytes().size(); }
  void cleanup() override { times_->end(); }

 private:
  RunTimes* times_;
};

/// Nanoseconds an item and hop.
double run(std::uint64_t items, std::size_t bytes, std::optional<std::uint64_t> capacity) {
  const Shared<RunTimes> times;
  ForkPipeline pipeline(chain_of(stage_factory<RawNumbers>(kFirstUse + items, bytes, times.get(), false, kFirstUse),
                                 stage_factory<PassOn>(), kStages, stage_factory<CountBytes>(times.get())),
                        {.items = capacity});
  run_whole(pipeline, kFirstUse + items, *times);
  return times->seconds() * 1e9 / static_cast<double>(items * kHops);
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("forward", argc, argv);
  // As many small items as large ones, in a run and in a link: a run's first milliseconds are slower than the rest, and
  // more small items at once would be cheaper only because they share a wake-up.
  const std::uint64_t few = bench.scaled<std::uint64_t>(20'000, 2'000);
  const std::uint64_t some = bench.scaled<std::uint64_t>(50'000, 10'000);
  const std::uint64_t many = bench.scaled<std::uint64_t>(5'000'000, 1'000'000);
  bench.measure("1 in a link", "ns/hop",
                {{"6 MiB", [=] { return run(few, kFrame, 1); }}, {"64 B", [=] { return run(few, 64, 1); }}});
  bench.measure("4 in a link", "ns/hop",
                {{"6 MiB", [=] { return run(some, kFrame, 4); }}, {"64 B", [=] { return run(some, 64, 4); }}});
  // Here the small ones may be many, to show what they gain by that.
  bench.measure("default links", "ns/hop",
                {{"6 MiB", [=] { return run(some, kFrame, {}); }}, {"64 B", [=] { return run(many, 64, {}); }}});
  return bench.finish();
}
