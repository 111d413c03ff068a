#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <string>

#include "base/owned_mutex.hpp"

namespace pystream::api {

/// Warnings on their way to the user's logger. They are collected wherever they arise and logged between calls,
/// without any lock of a pipeline. Thread-safe.
class News {
 public:
  void add(std::string text);
  /// Tells what is there, in order; what the logger cannot take now, because a thread is in it, stays.
  void tell();
  /// Waits for the logger. Within the logger it does nothing.
  void tell_all();

 private:
  void tell_with(bool (*say)(const std::string& text));

  std::mutex mutex_;          ///< guards texts_
  base::OwnedMutex telling_;  ///< held while texts are logged; the logger may call the pipeline
  std::atomic<bool> any_{false};
  std::deque<std::string> texts_;
};

}  // namespace pystream::api
