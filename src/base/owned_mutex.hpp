#pragma once

#include <atomic>
#include <mutex>
#include <thread>

namespace pystream::base {

/// A mutex under which a callback of the user's runs, which may call back into this object: is_mine() tells, and
/// try_lock() is false then. (std::mutex::try_lock() by its owner is undefined.)
class OwnedMutex {
 public:
  void lock() {
    mutex_.lock();
    owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  [[nodiscard]] bool try_lock() {
    if (is_mine() || !mutex_.try_lock()) {
      return false;
    }
    owner_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    return true;
  }
  void unlock() {
    owner_.store({}, std::memory_order_relaxed);
    mutex_.unlock();
  }
  /// No order is needed: a thread finds its own number only if it stored it itself.
  bool is_mine() const { return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }

 private:
  std::mutex mutex_;
  std::atomic<std::thread::id> owner_{};
};

}  // namespace pystream::base
