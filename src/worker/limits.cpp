#include "worker/limits.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <pystream/error.hpp>

namespace pystream::worker {
namespace {

void set_affinity(const std::vector<int>& cpus) {
  cpu_set_t all;
  CPU_ZERO(&all);
  for (const int cpu : cpus) {
    cpu_set_t one;
    CPU_ZERO(&one);
    if (cpu >= 0 && cpu < CPU_SETSIZE) {
      CPU_SET(cpu, &one);
    }
    // Of several CPUs the system silently takes those that there are; so each is tried.
    if (::sched_setaffinity(0, sizeof(one), &one) != 0) {
      throw Error("limits: \"affinity\" names CPU " + std::to_string(cpu) + ", and this process may use " +
                  std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)) + " CPUs, numbered from 0");
    }
    CPU_OR(&all, &all, &one);
  }
  ::sched_setaffinity(0, sizeof(all), &all);
}

void set_limit(decltype(RLIMIT_CPU) which, rlim_t soft, rlim_t hard, const char* name) {
  rlimit limit{};
  ::getrlimit(which, &limit);
  limit = {.rlim_cur = std::min(soft, limit.rlim_max), .rlim_max = std::min(hard, limit.rlim_max)};
  if (::setrlimit(which, &limit) != 0) {
    throw Error(std::string("limits: \"") + name + "\" cannot be set: " + std::strerror(errno));
  }
}

/// Private memory that can be written, as RLIMIT_DATA counts it.
std::uint64_t data_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  std::uint64_t shared = 0;
  std::uint64_t text = 0;
  std::uint64_t library = 0;
  std::uint64_t data = 0;
  if (!(statm >> size >> resident >> shared >> text >> library >> data)) {
    throw Error("limits: \"memory\" cannot be set: /proc/self/statm cannot be read");
  }
  return data * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

void apply_limits(const setup::ProcessLimits& limits) {
  const plan::Limits& wanted = limits.limits;
  if (!wanted.affinity.empty()) {
    set_affinity(wanted.affinity);
  }
  if (wanted.nice != 0 && ::setpriority(PRIO_PROCESS, 0, wanted.nice) != 0) {
    throw Error("limits: \"nice\" " + std::to_string(wanted.nice) + " was refused: " + std::strerror(errno));
  }
  if (wanted.cpu_time.count() > 0) {
    // Whole seconds are what the system knows. SIGXCPU comes first; a stage that ignores it is killed.
    const auto seconds = static_cast<rlim_t>((wanted.cpu_time.count() + 999'999'999) / 1'000'000'000);
    set_limit(RLIMIT_CPU, seconds, seconds + 2, "cpu_time");
  }
}

void apply_memory_limit(const setup::ProcessLimits& limits) {
  if (limits.memory()) {
    const rlim_t bytes = data_bytes() + limits.limits.memory;
    set_limit(RLIMIT_DATA, bytes, bytes, "memory");
  }
}

void crash_out_of_memory(const setup::ProcessLimits& limits, Monitor& monitor) {
  monitor.note_cause_of_death(shm::DeathCause::memory_limit);
  std::fprintf(stderr, "the memory limit of %llu bytes is used up (stage %s)\n",
               static_cast<unsigned long long>(limits.limits.memory), limits.stage.c_str());
  std::abort();
}

}  // namespace pystream::worker
