// Google Benchmark: what the ring's calls take, both ends in one thread.

#include <benchmark/benchmark.h>

#include <cstring>

#include "bench/link_ends.hpp"

namespace {

namespace shm = pystream::shm;

/// `touch`: the payload is written and read.
void pass(benchmark::State& state, bool touch) {
  const auto bytes = static_cast<std::size_t>(state.range(0));
  const std::int64_t batch = state.range(1);
  pystream::bench::LinkEnds link;
  std::vector<std::byte> item(bytes);
  for (auto _ : state) {
    for (std::int64_t i = 0; i < batch; ++i) {
      std::byte* to = link.writer.try_reserve(bytes);
      if (to == nullptr) {
        state.SkipWithError("the link is full");
        return;
      }
      if (touch) {
        std::memcpy(to, item.data(), bytes);
      }
      link.writer.finish(bytes, {.sequence = link.writer.next_number()});
    }
    link.writer.commit({.inputs_done = link.writer.next_number()});
    while (const shm::Record* record = link.reader.try_peek()) {
      if (touch) {
        std::memcpy(item.data(), record->payload.data(), bytes);
      }
      benchmark::DoNotOptimize(item.data());
      link.reader.advance();
    }
    link.reader.release();
  }
  state.SetItemsProcessed(state.iterations() * batch);
}

void copied(benchmark::State& state) {
  pass(state, true);
}
void untouched(benchmark::State& state) {
  pass(state, false);
}

BENCHMARK(copied)->ArgNames({"bytes", "batch"})->ArgsProduct({{8, 64, 256, 4096}, {1, 64, 200}});
BENCHMARK(untouched)->ArgNames({"bytes", "batch"})->ArgsProduct({{64, 4096, 1 << 16, 1 << 20, 16 << 20}, {1}});

/// Reserving and giving up: the cost without a record.
void reserved(benchmark::State& state) {
  pystream::bench::LinkEnds link;
  for (auto _ : state) {
    benchmark::DoNotOptimize(link.writer.try_reserve(64));
  }
}
BENCHMARK(reserved);

}  // namespace

BENCHMARK_MAIN();
