#pragma once

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>
#include <utility>
#include <vector>

#include "base/clock.hpp"

/// Processes of a benchmark: forked, pinned, and what they tell each other in shared memory.
namespace pystream::bench {

[[noreturn]] inline void give_up(const char* what) {
  std::perror(what);
  std::exit(EXIT_FAILURE);
}

/// The calling thread stays on this core, if the machine has so many.
inline void pin_to(int core) {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(static_cast<std::size_t>(core) % static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_ONLN)), &cores);
  ::sched_setaffinity(0, sizeof(cores), &cores);
}

/// Processor time of this process so far, in nanoseconds.
inline std::int64_t process_cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

/// Processor time of the processes that have ended, in nanoseconds.
inline double cpu_of_children_ns() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const auto ns = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_usec) * 1e3;
  };
  return ns(usage.ru_utime) + ns(usage.ru_stime);
}

/// Memory that this process shares with the children it forks, zero at first and populated.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t size)
      : size_(size),
        data_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)) {
    if (data_ == MAP_FAILED) {
      give_up("mmap");
    }
  }
  SharedMemory(SharedMemory&& other) noexcept : size_(other.size_), data_(std::exchange(other.data_, nullptr)) {}
  SharedMemory& operator=(SharedMemory&&) = delete;
  ~SharedMemory() {
    if (data_ != nullptr) {
      ::munmap(data_, size_);
    }
  }
  std::byte* data() const { return static_cast<std::byte*>(data_); }

 private:
  std::size_t size_;
  void* data_;
};

/// An object in such memory. Its members have to be fit for that (atomics, plain values).
template <class T>
class Shared {
 public:
  Shared() : memory_(sizeof(T)), object_(::new (memory_.data()) T()) {}
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  SharedMemory memory_;
  T* object_;
};

/// Processes that run a function each; join() ends the benchmark if one failed.
class Children {
 public:
  template <class Body>
  void start(Body body) {
    std::fflush(stdout);
    const pid_t pid = ::fork();
    if (pid < 0) {
      give_up("fork");
    }
    if (pid == 0) {
      body();
      ::_exit(EXIT_SUCCESS);
    }
    pids_.push_back(pid);
  }
  void join() {
    for (const pid_t pid : pids_) {
      int status = 0;
      if (::waitpid(pid, &status, 0) != pid || status != 0) {
        std::fprintf(stderr, "a process of the benchmark failed (status %d)\n", status);
        std::exit(EXIT_FAILURE);
      }
    }
    pids_.clear();
  }

 private:
  std::vector<pid_t> pids_;
};

/// When the work of several processes began and ended: the first waits until all are there.
struct RunTimes {
  std::atomic<bool> open{false};
  std::atomic<std::int64_t> began_ns{0};
  std::atomic<std::int64_t> ended_ns{0};

  void reset() {
    open = false;
    began_ns = ended_ns = 0;
  }
  void begin() {
    while (!open.load()) {
      ::usleep(100);
    }
    began_ns = base::now_ns();
  }
  void end() { ended_ns = base::now_ns(); }
  double seconds() const { return static_cast<double>(ended_ns - began_ns) * 1e-9; }
};

}  // namespace pystream::bench
