// What a Pipeline costs: start, cleanup, a worker's private memory, a serial stage.
//
// Prints medians. Judge them on a machine that does nothing else.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <pystream/pystream.hpp>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

double seconds_of(const std::function<void()>& what) {
  const auto began = Clock::now();
  what();
  return std::chrono::duration<double>(Clock::now() - began).count();
}

/// The same in time of this thread alone, whatever else the machine does.
double cpu_seconds_of(const std::function<void()>& what) {
  const auto now = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double began = now();
  what();
  return now() - began;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

int add_one(int x) {
  return x + 1;
}

void add_stages(pystream::Pipeline& pipeline, int count) {
  for (int i = 0; i < count; ++i) {
    pipeline.add(add_one);
  }
}

/// Private_Clean and Private_Dirty of a process, in KiB.
double private_kib(int pid) {
  std::ifstream rollup("/proc/" + std::to_string(pid) + "/smaps_rollup");
  double sum = 0;
  for (std::string word; rollup >> word;) {
    double kib = 0;
    if ((word == "Private_Clean:" || word == "Private_Dirty:") && rollup >> kib) {
      sum += kib;
    }
  }
  return sum;
}

/// With a profile: into the usual folder, as people have it. The worst of all shows what waits for the database.
void measure_start_with_profile() {
  std::vector<double> start;
  for (int i = 0; i < 31; ++i) {
    pystream::Pipeline pipeline({.use_profiler = true});
    add_stages(pipeline, 8);
    start.push_back(seconds_of([&] { pipeline.parallelize({.block_output = true}); }));
    pipeline.forward(1);
    pipeline.get_results<int>();
    pipeline.cleanup();
  }
  std::printf("the same with a profile                     %8.2f ms   (at most 20), the slowest %.2f ms\n",
              median(start) * 1e3, *std::max_element(start.begin(), start.end()) * 1e3);
}

void measure_start_and_cleanup() {
  std::vector<double> start;
  std::vector<double> cleanup;
  std::vector<double> memory;
  for (int i = 0; i < 31; ++i) {
    pystream::Pipeline pipeline;
    add_stages(pipeline, 8);
    start.push_back(seconds_of([&] { pipeline.parallelize({.block_output = true}); }));
    pipeline.forward(1);
    pipeline.get_results<int>();
    for (const pystream::StageStatus& stage : pipeline.status().stages) {
      memory.push_back(private_kib(stage.pid));
    }
    cleanup.push_back(seconds_of([&] { pipeline.cleanup(); }));
  }
  std::printf("start of 8 stages, parallelize() to ready   %8.2f ms   (at most 20)\n", median(start) * 1e3);
  std::printf("cleanup of 8 idle stages                    %8.2f ms   (at most 20)\n", median(cleanup) * 1e3);
  std::printf("private memory of a worker                  %8.0f KiB  (at most 1024)\n", median(memory));
}

/// Nanoseconds an item and stage, over the plain calls. The calls go through pointers that the optimiser cannot see
/// through, as those of stages do.
void measure_serial_stage() {
  constexpr int kStages = 10;
  constexpr int kItems = 200'000;
  using Call = int (*)(int);
  std::array<volatile Call, kStages> calls{};
  std::fill(calls.begin(), calls.end(), add_one);
  std::vector<double> plain;
  std::vector<double> piped;
  pystream::Pipeline pipeline;
  add_stages(pipeline, kStages);
  pipeline.serialize();
  long sum = 0;
  for (int round = 0; round < 21; ++round) {
    plain.push_back(cpu_seconds_of([&] {
      for (int i = 0; i < kItems; ++i) {
        int x = i;
        for (const volatile Call& call : calls) {
          x = call(x);
        }
        sum += x;
      }
    }));
    piped.push_back(cpu_seconds_of([&] {
      for (int i = 0; i < kItems; ++i) {
        pipeline.forward(i);
      }
    }));
    sum += *pipeline.get_results<int>();
  }
  const double over = (median(piped) - median(plain)) / kItems / kStages;
  std::printf("serial stage and item over a plain call     %8.2f ns   (at most 10)\n", over * 1e9);
  std::printf("  plain %.2f ns, in a pipeline of %d %.2f ns  [%ld]\n", median(plain) / kItems / kStages * 1e9, kStages,
              median(piped) / kItems / kStages * 1e9, sum % 10);
}

/// Items a second through a parallel pipeline of `stages`, fed in batches.
void measure_throughput() {
  constexpr int kItems = 1'000'000;
  for (const int stages : {1, 4}) {
    pystream::Pipeline pipeline;
    add_stages(pipeline, stages);
    pipeline.parallelize({.results = pystream::Results::newest});
    const std::vector<int> batch(1000, 1);
    const double alone = seconds_of([&] {
      for (int i = 0; i < kItems; ++i) {
        pipeline.forward(i);
      }
      pipeline.drain(60s);
    });
    const double batched = seconds_of([&] {
      for (int i = 0; i < kItems / 1000; ++i) {
        pipeline.forward_all(batch);
      }
      pipeline.drain(60s);
    });
    std::printf("parallel, %d stages: forward() %6.2f M items/s, forward_all() %6.2f M items/s\n", stages,
                kItems / alone * 1e-6, kItems / batched * 1e-6);
  }
}

}  // namespace

int main() {
  measure_start_and_cleanup();
  measure_start_with_profile();
  measure_serial_stage();
  measure_throughput();
  return 0;
}
