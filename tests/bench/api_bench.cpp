// What a Pipeline costs: start, cleanup, a worker's private memory.
//
// Prints medians. Judge them on a machine that does nothing else.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <pystream/pystream.hpp>
#include <string>
#include <thread>
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

void require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "%s\n", what);
    std::exit(EXIT_FAILURE);
  }
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
    require(pipeline.forward(1) && pipeline.get_results<int>(), "the item did not come out");
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
    require(pipeline.forward(1) && pipeline.get_results<int>(), "the item did not come out");
    for (const pystream::StageStatus& stage : pipeline.status().stages) {
      memory.push_back(private_kib(stage.pid));
    }
    cleanup.push_back(seconds_of([&] { pipeline.cleanup(); }));
  }
  std::printf("start of 8 stages, parallelize() to ready   %8.2f ms   (at most 20)\n", median(start) * 1e3);
  std::printf("cleanup of 8 idle stages                    %8.2f ms   (at most 20)\n", median(cleanup) * 1e3);
  std::printf("private memory of a worker                  %8.0f KiB  (at most 1024)\n", median(memory));
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
        require(pipeline.forward(i), "an item found no room");
      }
      require(pipeline.drain(60s), "items are still inside after a minute");
    });
    const double batched = seconds_of([&] {
      for (int i = 0; i < kItems / 1000; ++i) {
        require(pipeline.forward_all(batch) == batch.size(), "an item found no room");
      }
      require(pipeline.drain(60s), "items are still inside after a minute");
    });
    std::printf("parallel, %d stages: forward() %6.2f M items/s, forward_all() %6.2f M items/s\n", stages,
                kItems / alone * 1e-6, kItems / batched * 1e-6);
  }
}

/// How well a loop keeps its period, over 200 cycles of 10 ms.
void measure_loop() {
  constexpr int kCycles = 200;
  constexpr double kPeriod = 0.010;
  std::vector<double> means;
  double worst = 0;
  for (int round = 0; round < 3; ++round) {
    std::vector<Clock::time_point> times;
    std::atomic<bool> done = false;
    pystream::Pipeline pipeline({.input_generator = [&] {
      if (times.size() <= kCycles) {
        times.push_back(Clock::now());
      }
      done = times.size() > kCycles;
      return 1;
    }});
    add_stages(pipeline, 1);
    pipeline.parallelize();
    pipeline.start_loop(10ms);
    while (!done) {
      std::this_thread::sleep_for(10ms);
    }
    pipeline.stop_loop();
    means.push_back(std::chrono::duration<double>(times.back() - times.front()).count() / kCycles);
    for (std::size_t i = 1; i < times.size(); ++i) {
      const double cycle = std::chrono::duration<double>(times[i] - times[i - 1]).count();
      worst = std::max(worst, std::abs(cycle - kPeriod));
    }
  }
  std::printf(
      "loop of 10 ms, mean of 200 cycles           %8.3f ms   (9.5 to 10.5; single cycles off by at most %.3f ms)\n",
      median(means) * 1e3, worst * 1e3);
}

}  // namespace

int main() {
  measure_start_and_cleanup();
  measure_loop();
  measure_start_with_profile();
  measure_throughput();
  return 0;
}
