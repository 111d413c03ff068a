#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <system_error>

namespace pystream::python {

/// What the user's process tells the workers of a run, in memory that both have.
class RunFlags {
 public:
  /// Throws std::system_error.
  RunFlags()
      : memory_(::mmap(nullptr, sizeof(std::atomic<bool>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (memory_ == MAP_FAILED) {
      throw std::system_error(errno, std::generic_category(), "cannot make memory for a pipeline");
    }
    new (memory_) std::atomic<bool>(false);
  }
  ~RunFlags() { ::munmap(memory_, sizeof(std::atomic<bool>)); }
  RunFlags(const RunFlags&) = delete;
  RunFlags& operator=(const RunFlags&) = delete;

  /// The workers end without cleanup() of their stages: the pipeline becomes a stage of another one.
  void abandon() { flag().store(true, std::memory_order_relaxed); }
  bool abandoned() const { return flag().load(std::memory_order_relaxed); }

 private:
  std::atomic<bool>& flag() const { return *static_cast<std::atomic<bool>*>(memory_); }

  void* memory_;
};

}  // namespace pystream::python
