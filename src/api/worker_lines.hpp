#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/owned_mutex.hpp"

namespace pystream::api {

/// Lines that workers wrote, on their way to ParallelOptions::worker_lines. They are told between calls, by one thread
/// at a time and without any lock of a pipeline. Thread-safe.
class WorkerLines {
 public:
  using Take = std::function<void(std::string_view stage, std::string_view line)>;

  explicit WorkerLines(Take take) : take_(std::move(take)) {}
  /// REQUIRES: there is a function that takes them.
  void add(std::string worker, std::string line);
  /// Tells what is there, in order, unless a thread does that just now.
  void tell();
  /// Waits for that thread. Within the function that takes lines it does nothing.
  void tell_all();

 private:
  void tell_each();

  Take take_;
  std::mutex mutex_;          ///< guards lines_
  base::OwnedMutex telling_;  ///< held while lines are told; the function may call the pipeline
  std::atomic<bool> any_{false};
  std::deque<std::pair<std::string, std::string>> lines_;
};

}  // namespace pystream::api
