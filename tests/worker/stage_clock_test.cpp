#include <chrono>
#include <thread>

#include "base/clock.hpp"
#include "support/worker_rig.hpp"

/// How long each stage of a serial row worked. Stages sleep, and what they slept is the least they took; so a time that
/// is counted as a neighbour's shows.
namespace pystream::worker {
namespace {

using namespace pystream::test;
using namespace std::chrono_literals;

constexpr std::uint64_t kItems = 3;

void rest(std::chrono::milliseconds time) {
  std::this_thread::sleep_for(time);
}
std::uint64_t ns(std::chrono::milliseconds time) {
  return kItems * static_cast<std::uint64_t>(std::chrono::nanoseconds(time).count());
}
std::unique_ptr<StageAdapter> slow_letter(std::chrono::milliseconds time) {
  return typed<char, char>([time](char letter) {
    rest(time);
    return letter;
  });
}

/// Runs kItems single letters through a row of these stages; gives what the first `stages` of them took together.
std::vector<std::uint64_t> times_of(const std::function<std::vector<std::unique_ptr<StageAdapter>>()>& make,
                                    std::size_t stages) {
  const RigSpec spec{.segments = {{.make = make}}};
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b", "c"});
  RiggedWorker sut(segment, spec);
  while (sut.runner().run_batch() && !sut.runner().ended()) {
  }
  EXPECT_TRUE(sut.runner().ended());
  std::vector<std::uint64_t> times;
  for (std::size_t i = 0; i < stages; ++i) {
    const shm::StageStats& stats = sut.monitor().end().stats[i];
    EXPECT_EQ(stats.samples, kItems) << "slow stages are timed item by item";
    EXPECT_EQ(stats.total_ns, stats.timed_ns);
    times.push_back(stats.total_ns);
  }
  return times;
}

TEST(StageClockTest, EachStageOfARowHasItsOwnTime) {
  const auto times = times_of(
      [] {
        std::vector<std::unique_ptr<StageAdapter>> row;
        for (const auto time : {8ms, 1ms, 4ms}) {
          row.push_back(slow_letter(time));
        }
        return row;
      },
      3);
  EXPECT_GE(times[0], ns(8ms));
  EXPECT_GE(times[1], ns(1ms));
  EXPECT_GE(times[2], ns(4ms));
}

/// Between two outputs and behind the last one it is the first stage that works, though others ran meanwhile.
TEST(StageClockTest, WhatAStageDoesBetweenItsOutputsIsItsOwn) {
  const auto times = times_of(
      [] {
        std::vector<std::unique_ptr<StageAdapter>> row;
        row.push_back(raw([](const Item& in, Output& out) {
          out.forward(in);
          rest(6ms);
          out.forward(in);
          rest(7ms);
        }));
        row.push_back(slow_letter(1ms));
        row.push_back(slow_letter(2ms));
        return row;
      },
      3);
  EXPECT_GE(times[0], ns(13ms));
  EXPECT_GE(times[1], 2 * ns(1ms));
  EXPECT_GE(times[2], 2 * ns(2ms));
}

/// The same where a stage of one output stands in front of it.
TEST(StageClockTest, AlsoBehindAStageOfOneOutput) {
  const auto times = times_of(
      [] {
        std::vector<std::unique_ptr<StageAdapter>> row;
        row.push_back(slow_letter(1ms));
        row.push_back(raw([](const Item& in, Output& out) {
          out.forward(in);
          rest(9ms);
        }));
        row.push_back(slow_letter(2ms));
        return row;
      },
      3);
  EXPECT_GE(times[0], ns(1ms));
  EXPECT_GE(times[1], ns(9ms));
  EXPECT_GE(times[2], ns(2ms));
}

/// When the items of a worker began, which gets them one by one and rests in between as if it were preempted there.
TEST(StageClockTest, NoItemBeginsBeforeItCame) {
  for (const bool in_row : {false, true}) {
    const RigSpec spec{.segments = {{.make =
                                         [] {
                                           std::vector<std::unique_ptr<StageAdapter>> stage;
                                           stage.push_back(slow_letter(1ms));
                                           return stage;
                                         }}},
                       .rows = 64};
    const shm::Segment segment = make_rig_segment(spec);
    const shm::SupervisorView view = segment.map_supervisor();
    view.config->enabled = 1;
    view.config->rows_per_second = 100'000;  // a row of each item
    RiggedWorker sut(segment, spec);
    std::vector<std::int64_t> came;
    for (int i = 0; i < 3; ++i) {
      came.push_back(base::now_ns());
      feed(segment, 0, {"a"}, false);
      bool closed = false;
      ASSERT_TRUE(in_row ? sut.runner().run_one(closed) : sut.runner().run_batch());
      rest(2ms);
    }
    const shm::ProfileArea& profile = sut.monitor().end().profile;
    ASSERT_EQ(profile.page->head, 3U);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_GE(profile.rows[i].start_ns, came[i]) << "item " << i << (in_row ? " of a row" : "");
    }
  }
}

}  // namespace
}  // namespace pystream::worker
