#pragma once

#include <chrono>
#include <exception>
#include <functional>
#include <stop_token>
#include <thread>

namespace pystream::api {

/// Calls a function again and again from a thread of its own.
class LoopThread {
 public:
  /// `cycle` gets the time at which it should give up waiting. If it throws, the loop ends.
  LoopThread(std::function<void(const std::stop_token&)> cycle, std::chrono::nanoseconds period);
  /// Ends the loop and waits for the cycle in work.
  ~LoopThread();
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  /// Ends the loop; rethrows what ended it before, if anything did.
  void stop();

 private:
  void run(const std::stop_token& stop);

  std::function<void(const std::stop_token&)> cycle_;
  std::chrono::nanoseconds period_;
  std::exception_ptr failure_;  ///< written by the thread, read after it was joined
  std::jthread thread_;
};

}  // namespace pystream::api
