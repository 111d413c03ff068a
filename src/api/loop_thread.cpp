#include "api/loop_thread.hpp"

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <utility>

#include "api/beat.hpp"
#include "api/patience.hpp"
#include "base/blocked_signals.hpp"

namespace pystream::api {

LoopThread::LoopThread(std::function<void(const std::stop_token&)> cycle, std::chrono::nanoseconds period)
    : cycle_(std::move(cycle)), period_(patience(period)) {
  const base::BlockedSignals blocked;  // inherited: signals stay with the user's own threads
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

LoopThread::~LoopThread() = default;

void LoopThread::run(const std::stop_token& stop) {
  ::pthread_setname_np(::pthread_self(), "pystream-loop");
  std::mutex mutex;
  std::condition_variable_any wake;
  Beat beat(std::chrono::steady_clock::now(), period_);
  try {
    while (!stop.stop_requested()) {
      cycle_(stop);
      const auto next = beat.next(std::chrono::steady_clock::now());
      std::unique_lock lock(mutex);
      wake.wait_until(lock, stop, next, [] { return false; });
    }
  } catch (...) {
    failure_ = std::current_exception();
  }
}

void LoopThread::stop() {
  thread_.request_stop();
  if (thread_.joinable()) {
    thread_.join();
  }
  if (failure_) {
    std::rethrow_exception(std::exchange(failure_, nullptr));
  }
}

}  // namespace pystream::api
