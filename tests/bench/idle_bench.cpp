// A pipeline of eight workers that has nothing to do: processor time and wake-ups of all its processes.

#include <dirent.h>

#include <chrono>
#include <fstream>
#include <pystream/pystream.hpp>
#include <set>
#include <string>
#include <thread>

#include "bench/harness.hpp"
#include "bench/processes.hpp"
#include "support/temp_folder.hpp"

namespace {

using namespace pystream::bench;

constexpr int kWorkers = 8;

/// Of all threads of all processes.
struct Activity {
  double cpu_s = 0;
  double wake_ups = 0;  ///< voluntary context switches: each sleep ends with one
};

void add_thread(Activity& sum, const std::string& folder) {
  std::ifstream schedstat(folder + "/schedstat");
  double cpu_ns = 0;
  schedstat >> cpu_ns;
  sum.cpu_s += cpu_ns * 1e-9;
  std::ifstream status(folder + "/status");
  for (std::string line; std::getline(status, line);) {
    constexpr std::string_view kKey = "voluntary_ctxt_switches:";
    if (line.starts_with(kKey)) {
      sum.wake_ups += std::stod(line.substr(kKey.size()));
    }
  }
}

Activity activity_of(const std::set<int>& pids) {
  Activity sum;
  for (const int pid : pids) {
    const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
    DIR* folder = ::opendir(tasks.c_str());
    if (folder == nullptr) {
      give_up(tasks.c_str());
    }
    while (const dirent* entry = ::readdir(folder)) {
      if (entry->d_name[0] != '.') {
        add_thread(sum, tasks + "/" + entry->d_name);
      }
    }
    ::closedir(folder);
  }
  return sum;
}

/// The coordinator, its workers and its profiler process.
std::set<int> processes_of(const pystream::PipelineStatus& status) {
  std::set<int> pids{status.coordinator};
  std::ifstream children("/proc/" + std::to_string(status.coordinator) + "/task/" + std::to_string(status.coordinator) +
                         "/children");
  for (int pid = 0; children >> pid;) {
    pids.insert(pid);
  }
  return pids;
}

void measure(Bench& bench, const std::string& contender, std::chrono::duration<double> duration) {
  const pystream::test::TempFolder folder;
  pystream::Pipeline pipeline({.use_profiler = contender == "profiled", .profiler_db_folder = folder.path()});
  for (int i = 0; i < kWorkers; ++i) {
    pipeline.add([](int x) { return x; });
  }
  pipeline.parallelize({.block_output = true});
  if (!pipeline.forward(1) || !pipeline.get_results<int>()) {
    give_up("the item did not come out");
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const std::set<int> pids = processes_of(pipeline.status());
  if (pids.size() <= kWorkers) {
    give_up("cannot see all workers");
  }
  const Activity before = activity_of(pids);
  std::this_thread::sleep_for(duration);
  const Activity after = activity_of(pids);
  bench.add("8 workers", "% of a core", contender, (after.cpu_s - before.cpu_s) / duration.count() * 100);
  bench.add("8 workers", "wake-ups/s", contender, (after.wake_ups - before.wake_ups) / duration.count());
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("idle", argc, argv);
  const std::chrono::duration<double> duration{bench.scaled(5.0, 1.0)};
  for (int round = 0; round < bench.repetitions(); ++round) {
    for (const std::string contender : {"not profiled", "profiled"}) {
      if (bench.wants("8 workers", contender)) {
        measure(bench, contender, duration);
      }
    }
  }
  return bench.finish();
}
