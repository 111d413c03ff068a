#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <new>
#include <pystream/pystream.hpp>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

namespace pystream::test {

using namespace std::chrono_literals;

/// Far beyond what any of these tests needs, even on a busy machine.
inline constexpr auto kDeadline = 60s;

/// Looks again and again until the condition holds; false after kDeadline.
inline bool wait_until(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + kDeadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) {
      return false;
    }
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// A value that this process and the workers forked from it share.
template <class T>
class Shared {
 public:
  Shared() {
    void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    value_ =
        std::shared_ptr<T>(std::construct_at(static_cast<T*>(memory)), [](T* value) { ::munmap(value, sizeof(T)); });
  }
  T& operator*() const { return *value_; }
  T* operator->() const { return value_.get(); }

 private:
  std::shared_ptr<T> value_;
};

using SharedCount = Shared<std::atomic<int>>;

inline const ParallelOptions kAllResults{.block_output = true, .output_timeout = kDeadline, .results = Results::all};

template <class T>
std::vector<T> read_all(Pipeline& pipeline, std::size_t count) {
  std::vector<T> results;
  while (results.size() < count) {
    std::optional<T> result = pipeline.get_results<T>();
    if (!result) {
      ADD_FAILURE() << "no result after " << results.size();
      break;
    }
    results.push_back(std::move(*result));
  }
  return results;
}

/// Kills the workers of a running pipeline one after the other, until it is destroyed.
inline std::jthread kill_in_turn(Pipeline& pipeline) {
  return std::jthread([&pipeline](const std::stop_token& stop) {
    for (std::size_t round = 0; !stop.stop_requested(); ++round) {
      const PipelineStatus status = pipeline.status();
      const StageStatus& victim = status.stages[round % status.stages.size()];
      if (victim.pid > 0) {
        ::kill(victim.pid, SIGKILL);
      }
      std::this_thread::sleep_for(2ms);
    }
  });
}

/// The message of the exception of type E that `call` throws; "" (and a failure) if there is none.
template <class E>
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another exception: " << error.what();
    return {};
  }
  ADD_FAILURE() << "no exception";
  return {};
}

inline ::testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "\"" << part << "\" is not in \"" << text << "\"";
}

}  // namespace pystream::test
