#include "api/worker_lines.hpp"

namespace pystream::api {

void WorkerLines::add(std::string worker, std::string line) {
  const std::lock_guard lock(mutex_);
  lines_.emplace_back(std::move(worker), std::move(line));
  any_.store(true, std::memory_order_relaxed);
}

/// REQUIRES: telling_ is held.
void WorkerLines::tell_each() {
  while (true) {
    std::pair<std::string, std::string> line;
    {
      const std::lock_guard lock(mutex_);
      if (lines_.empty()) {
        any_.store(false, std::memory_order_relaxed);
        return;
      }
      line = std::move(lines_.front());
      lines_.pop_front();
    }
    take_(line.first, line.second);
  }
}

void WorkerLines::tell() {
  if (!any_.load(std::memory_order_relaxed)) {
    return;
  }
  if (const std::unique_lock lock(telling_, std::try_to_lock); lock) {
    tell_each();
  }
}

void WorkerLines::tell_all() {
  if (!any_.load(std::memory_order_relaxed) || telling_.is_mine()) {
    return;
  }
  const std::lock_guard lock(telling_);
  tell_each();
}

}  // namespace pystream::api
