// Five stages of a serial pipeline against five plain calls, in processor time: what a stage costs beside its work.

#include <algorithm>
#include <array>
#include <pystream/pystream.hpp>

#include "bench/harness.hpp"
#include "bench/processes.hpp"

namespace {

using namespace pystream::bench;

constexpr int kStages = 5;

int add_one(int x) {
  return x + 1;
}

/// Nanoseconds of processor time for each of `items` calls of `one`.
template <class Call>
double cpu_ns_of(int items, Call one) {
  const std::int64_t began = process_cpu_ns();
  for (int i = 0; i < items; ++i) {
    one(i);
  }
  return static_cast<double>(process_cpu_ns() - began) / items;
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("serial", argc, argv);
  const int items = bench.scaled(1'000'000, 200'000);
  // The calls go through pointers that the optimiser cannot see through, as those of stages do.
  using Call = int (*)(int);
  std::array<volatile Call, kStages> calls{};
  std::fill(calls.begin(), calls.end(), add_one);
  pystream::Pipeline pipeline;
  for (int i = 0; i < kStages; ++i) {
    pipeline.add(add_one);
  }
  pipeline.serialize();
  volatile int result = 0;
  const auto plainly = [&](int x) {
    for (const volatile Call& call : calls) {
      x = call(x);
    }
    result = x;
  };
  bool all_taken = true;
  const auto piped = [&](int x) { all_taken &= pipeline.forward(x); };
  bench.measure("5 stages", "ns/stage",
                {{"pystream", [&] { return cpu_ns_of(items, piped) / kStages; }},
                 {"plain calls", [&] { return cpu_ns_of(items, plainly) / kStages; }}});
  return all_taken && pipeline.get_results<int>() == items - 1 + kStages ? bench.finish() : EXIT_FAILURE;
}
