#include <set>

#include "api/api_support.hpp"

namespace pystream::test {
namespace {

using namespace functional;

TEST(FunctionalTest, SerialPassesValuesOn) {
  const auto sut =
      func_serial([](int x) { return x + 1; }, [](int x) { return x * 2; }, [](int x) { return std::to_string(x); });
  auto copy = sut;
  EXPECT_EQ(copy(4), "10");
}

TEST(FunctionalTest, SerialCallsFunctionsWithoutValuesInTurn) {
  std::vector<int> calls;
  auto sut = func_serial([&] { calls.push_back(1); }, [&] { calls.push_back(2); }, [&] { calls.push_back(3); });
  sut();
  EXPECT_EQ(calls, (std::vector<int>{1, 2, 3}));
}

TEST(FunctionalTest, ParallelRunsAllAtOnceAndWaits) {
  Executor executor(3);
  std::atomic<int> met = 0;
  std::vector<std::function<void()>> functions(3, [&] {
    ++met;
    EXPECT_TRUE(wait_until([&] { return met == 3; }));  // only if all three run at once
  });
  const auto sut = func_parallel_thread(functions, executor);
  sut();
  EXPECT_EQ(met, 3);
}

TEST(FunctionalTest, ParallelHasAnExecutorOfItsOwn) {
  std::atomic<int> ran = 0;
  const auto sut = func_parallel_thread(std::vector<std::function<void()>>(25, [&] { ++ran; }));
  sut();
  sut();
  EXPECT_EQ(ran, 50);
}

TEST(FunctionalTest, TheFirstExceptionComesOutOnceAllHaveEnded) {
  Executor executor(2);
  std::atomic<int> ran = 0;
  const auto sut = func_parallel_thread({[&] { ++ran; }, [&]() -> void { throw std::runtime_error("second"); },
                                         [&]() -> void { throw std::runtime_error("third"); }, [&] { ++ran; }},
                                        executor);
  EXPECT_EQ(message_of<std::runtime_error>(sut), "second");
  EXPECT_EQ(ran, 2);
}

TEST(FunctionalTest, BothCombine) {
  int a = 0;
  int b = 0;
  int sum = 0;
  auto sut = func_serial(func_parallel_thread({[&] { a = 1; }, [&] { b = 2; }}), [&] { sum = a + b; });
  sut();
  EXPECT_EQ(sum, 3);
}

TEST(LogTest, TheLoggerCanBeReplacedAndSilenced) {
  std::vector<std::string> said;
  set_logger([&](LogLevel, std::string_view text) { said.emplace_back(text); });
  std::atomic<int> renamed = 0;
  const auto start = [&](const std::string& name) {
    return std::jthread([&, name](const std::stop_token& stop) {
      ::pthread_setname_np(::pthread_self(), name.c_str());
      ++renamed;
      while (!stop.stop_requested()) {
        std::this_thread::sleep_for(1ms);
      }
    });
  };
  const LogLevel before = log_level();
  std::vector<std::jthread> threads;
  for (const LogLevel level : {LogLevel::warning, LogLevel::error}) {
    set_log_level(level);
    threads.push_back(start("logged-" + std::to_string(threads.size())));
    ASSERT_TRUE(wait_until([&] { return renamed == static_cast<int>(threads.size()); }));
    Pipeline sut;
    sut.add([](int x) { return x; }).parallelize();
  }
  set_log_level(before);
  set_logger({});
  EXPECT_EQ(said.size(), 1U);
}

}  // namespace
}  // namespace pystream::test
