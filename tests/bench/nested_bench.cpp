// Eight stages: as a flat pipeline, and each in a pipeline inside the one before it, parallel and serial.

#include <chrono>
#include <optional>
#include <pystream/pystream.hpp>
#include <vector>

#include "bench/harness.hpp"
#include "bench/processes.hpp"

namespace {

using namespace pystream::bench;
using namespace std::chrono_literals;
using pystream::Pipeline;

constexpr int kDepth = 8;
constexpr int kBatch = 1'000;

int add_one(int x) {
  return x + 1;
}

template <bool kParallel>
void start(Pipeline& pipeline) {
  if constexpr (kParallel) {
    pipeline.parallelize();
  } else {
    pipeline.serialize();
  }
}

template <bool kParallel>
Pipeline flat() {
  Pipeline pipeline;
  for (int i = 0; i < kDepth; ++i) {
    pipeline.add(add_one);
  }
  start<kParallel>(pipeline);
  return pipeline;
}

/// A stage, and behind it the rest as a pipeline.
template <bool kParallel>
Pipeline nested(int depth) {
  Pipeline pipeline;
  pipeline.add(add_one);
  if (depth > 1) {
    Pipeline child = nested<kParallel>(depth - 1);
    pipeline.add(child.as_stage());
  }
  start<kParallel>(pipeline);
  return pipeline;
}

double rate(Pipeline pipeline, int items) {
  const std::vector<int> batch(kBatch, 1);
  const std::int64_t began = pystream::base::now_ns();
  for (int sent = 0; sent < items; sent += kBatch) {
    if (pipeline.forward_all(batch) != batch.size()) {
      give_up("the pipeline took too few items");
    }
  }
  if (!pipeline.drain(60s) || pipeline.get_results<int>() != 1 + kDepth) {
    give_up("the pipeline gave a wrong result");
  }
  return items / (static_cast<double>(pystream::base::now_ns() - began) * 1e-9);
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("nested", argc, argv);
  const int parallel = bench.scaled(4'000'000, 1'000'000);
  const int serial = bench.scaled(4'000'000, 1'000'000);
  bench.measure("parallel", "items/s",
                {{"8 deep", [=] { return rate(nested<true>(kDepth), parallel); }},
                 {"flat", [=] { return rate(flat<true>(), parallel); }}});
  bench.measure("serial", "items/s",
                {{"8 deep", [=] { return rate(nested<false>(kDepth), serial); }},
                 {"flat", [=] { return rate(flat<false>(), serial); }}});
  return bench.finish();
}
