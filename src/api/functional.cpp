#include <condition_variable>
#include <deque>
#include <exception>
#include <latch>
#include <mutex>
#include <pystream/functional.hpp>
#include <stop_token>
#include <thread>

namespace pystream::functional {

/// The threads of an executor and their tasks.
class Executor::Crew {
 public:
  explicit Crew(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) {
      threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
    }
  }

  void submit(std::function<void()> job) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    changed_.notify_one();
  }

 private:
  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, [this] { return !jobs_.empty(); })) {
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::jthread> threads_;  ///< last: they end before what they use
};

Executor::Executor(std::size_t threads) : crew_(std::make_unique<Crew>(threads > 0 ? threads : 1)) {}
Executor::~Executor() = default;

void Executor::run_all(const std::vector<std::function<void()>>& functions) {
  std::vector<std::exception_ptr> failures(functions.size());
  std::latch done(static_cast<std::ptrdiff_t>(functions.size()));
  for (std::size_t i = 0; i < functions.size(); ++i) {
    crew_->submit([&, i] {
      try {
        functions[i]();
      } catch (...) {
        failures[i] = std::current_exception();
      }
      done.count_down();
    });
  }
  done.wait();
  for (const std::exception_ptr& failure : failures) {
    if (failure) {
      std::rethrow_exception(failure);
    }
  }
}

Executor& default_executor() {
  constexpr std::size_t kThreads = 10;
  static Executor executor(kThreads);
  return executor;
}

std::function<void()> func_parallel_thread(std::vector<std::function<void()>> functions, Executor& executor) {
  return [functions = std::move(functions), &executor] { executor.run_all(functions); };
}

}  // namespace pystream::functional
