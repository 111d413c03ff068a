#include <random>

#include "api/api_support.hpp"
#include "api/beat.hpp"

namespace pystream::test {
namespace {

TEST(LoopTest, ForwardsWhatTheGeneratorMakes) {
  int next = 0;
  Pipeline sut({.input_generator = [&] { return next++; }});
  sut.add([](int x) { return x * 10; }).parallelize(kAllResults);
  EXPECT_TRUE(sut.forward());
  EXPECT_TRUE(sut.forward());
  EXPECT_EQ(read_all<int>(sut, 2), (std::vector<int>{0, 10}));
}

TEST(LoopTest, AGeneratorMayHaveNothing) {
  Pipeline sut({.input_generator = []() -> std::optional<int> { return std::nullopt; }});
  sut.add([](int x) { return x; }).serialize();
  EXPECT_FALSE(sut.forward());
}

TEST(LoopTest, NeedsAGenerator) {
  Pipeline sut;
  sut.add([](int x) { return x; }).serialize();
  EXPECT_TRUE(contains(message_of<Error>([&] { static_cast<void>(sut.forward()); }), "input_generator"));
  EXPECT_TRUE(contains(message_of<Error>([&] { sut.start_loop(); }), "input_generator"));
  sut.stop_loop();  // none runs: nothing happens
}

TEST(LoopTest, WhatEndedItIsToldAlsoIfNobodyAsks) {
  std::string told;
  set_logger(
      [&](LogLevel level, std::string_view text) { told += level == LogLevel::error ? std::string(text) + "\n" : ""; });
  for (const bool by_destructor : {false, true}) {
    std::atomic<bool> called{false};
    Pipeline sut({.input_generator = [&]() -> int {
      called = true;
      throw std::runtime_error("the camera is gone");
    }});
    sut.add([](int x) { return x; }).serialize();
    sut.start_loop();
    EXPECT_TRUE(wait_until([&] { return called.load(); }));
    if (!by_destructor) {
      sut.cleanup();
    }
  }
  set_logger({});
  const std::size_t first = told.find("the camera is gone");
  EXPECT_TRUE(first != told.npos && told.find("the camera is gone", first + 1) != told.npos) << told;
}

TEST(BeatTest, LateWakeUpsDoNotAddUp) {
  constexpr auto kPeriod = 10ms;
  std::mt19937 random(1);
  std::uniform_int_distribution<> late(0, 9'999);
  const api::Beat::Time first{};
  api::Beat sut(first, kPeriod);
  auto next = first;
  for (int cycle = 1; cycle <= 200; ++cycle) {
    next = sut.next(next + std::chrono::microseconds(late(random)));
    ASSERT_EQ(next, first + cycle * kPeriod);
  }
}

TEST(BeatTest, ACycleOfMoreThanAPeriodIsCaughtUpWith) {
  const api::Beat::Time first{};
  api::Beat sut(first, 10ms);
  EXPECT_EQ(sut.next(first + 15ms), first + 10ms);  // over already: the next cycle follows at once
  EXPECT_EQ(sut.next(first + 16ms), first + 20ms);
}

TEST(BeatTest, WholePeriodsThatWereMissedAreNotMadeUpFor) {
  const api::Beat::Time first{};
  api::Beat sut(first, 10ms);
  EXPECT_EQ(sut.next(first + 1h), first + 1h);
  EXPECT_EQ(sut.next(first + 1h), first + 1h + 10ms);
}

TEST(LoopTest, NeverRunsFasterThanItsPeriod) {
  constexpr int kCycles = 200;
  constexpr auto kPeriod = 10ms;
  std::vector<std::chrono::steady_clock::time_point> times;
  std::atomic<int> cycles = 0;
  Pipeline sut({.input_generator = [&] {
    if (times.size() <= kCycles) {
      times.push_back(std::chrono::steady_clock::now());
    }
    return ++cycles;
  }});
  sut.add([](int x) { return x; }).serialize();
  sut.start_loop(kPeriod);
  ASSERT_TRUE(wait_until([&] { return cycles > kCycles; }));
  sut.stop_loop();
  const std::chrono::duration<double> took = times.back() - times.front();
  const double period = took.count() / kCycles;
  EXPECT_GE(period, 0.95 * 0.010);
  // How much slower is for api_bench to tell: here other things run, too.
  RecordProperty("mean_period_us", static_cast<int>(period * 1e6));
}

TEST(LoopTest, StopsAndStartsAgain) {
  std::atomic<int> made = 0;
  Pipeline sut({.input_generator = [&] { return ++made; }});
  sut.add([](int x) { return x; }).parallelize();
  sut.start_loop(1ms);
  ASSERT_TRUE(wait_until([&] { return made > 5; }));
  sut.stop_loop();
  const int stopped_at = made;
  EXPECT_TRUE(sut.forward(1));
  EXPECT_EQ(made, stopped_at);
  sut.start_loop(0ms);
  sut.start_loop(1ms);  // goes on with another period
  EXPECT_TRUE(wait_until([&] { return made > stopped_at + 5; }));
  sut.cleanup();  // ends the loop, too
}

TEST(LoopTest, StopsAtOnceThoughForwardWaitsForRoom) {
  const SharedCount open;
  Pipeline sut({.input_generator = [] { return 1; }});
  sut.add([open](int x) {
    while (*open == 0) {
      std::this_thread::sleep_for(1ms);
    }
    return x;
  });
  sut.parallelize({.input_timeout = 1h, .capacity = {.items = 1, .bytes = {}}});
  sut.start_loop(0ms);
  ASSERT_TRUE(wait_until([&] { return !sut.drain(20ms); }));
  sut.stop_loop();
  *open = 1;
}

TEST(LoopTest, StopLoopTellsWhatEndedIt) {
  std::atomic<int> made = 0;
  Pipeline sut({.input_generator = [&]() -> int { return ++made == 3 ? throw std::runtime_error("camera gone") : 1; }});
  sut.add([](int x) { return x; }).serialize();
  sut.start_loop(0ms);
  ASSERT_TRUE(wait_until([&] { return made >= 3; }));
  EXPECT_EQ(message_of<std::runtime_error>([&] { sut.stop_loop(); }), "camera gone");
  sut.stop_loop();
}

}  // namespace
}  // namespace pystream::test
