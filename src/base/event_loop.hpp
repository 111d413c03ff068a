#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "base/unique_fd.hpp"

namespace pystream::base {

/// Calls back when descriptors become readable or writable: epoll for one thread. A callback may add and remove
/// descriptors.
class EventLoop {
 public:
  using Callback = std::function<void()>;
  enum class For { reading, writing };

  EventLoop();
  /// The descriptor stays the caller's and must be removed before it is closed.
  void add(int fd, Callback callback, For what = For::reading);
  void remove(int fd);
  /// Waits for events until `deadline` (CLOCK_MONOTONIC; nullopt: for ever) and calls back for each.
  void wait(std::optional<std::chrono::nanoseconds> deadline);

 private:
  UniqueFd epoll_;
  std::map<int, Callback> callbacks_;
};

}  // namespace pystream::base
