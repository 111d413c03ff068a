#include "profile/bottleneck.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace pystream::profile {
namespace {

/// Each worker gives to the next.
std::optional<Bottleneck> find_in_line(const std::vector<StageLoad>& stages) {
  std::vector<WorkerLink> links;
  for (std::size_t i = 1; i < stages.size(); ++i) {
    if (stages[i].worker != stages[i - 1].worker) {
      links.push_back({.producer = std::string(stages[i - 1].worker), .consumer = std::string(stages[i].worker)});
    }
  }
  return find_bottleneck(stages, links);
}

TEST(BottleneckTest, NothingLimitsNothing) {
  EXPECT_FALSE(find_in_line({}));
}

TEST(BottleneckTest, WithoutBlockingTheOneThatWorksMost) {
  const std::vector<StageLoad> stages{{"A", 0, 1}, {"B", 0.1, 3}, {"C", 0, 2}};
  const auto sut = find_in_line(stages);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->stage, 1U);
  EXPECT_FALSE(sut->blocked_before);
}

TEST(BottleneckTest, WhereBlockedStagesEndHoweverLittleItWorks) {
  // C waits for a child of its own, say: its stages are quick, and still everything in front of it waits for it.
  const std::vector<StageLoad> stages{{"A", 0.96, 1}, {"B", 0.84, 9}, {"C", 0.07, 2}, {"D", 0, 5}};
  const auto sut = find_in_line(stages);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->stage, 2U);
  EXPECT_TRUE(sut->blocked_before);
}

TEST(BottleneckTest, OfAWorkersStagesTheOneThatWorksMost) {
  const std::vector<StageLoad> stages{{"A", 0.9, 1}, {"B", 0, 2}, {"B", 0, 7}, {"B", 0, 3}, {"C", 0, 9}};
  const auto sut = find_in_line(stages);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->stage, 2U);
}

/// A worker of one stage, in a run of ten seconds after its start.
StageLoad load_of(std::string_view worker, double working, double blocked, std::uint64_t items = 1000) {
  return {.worker = worker,
          .blocked = blocked,
          .busy_s = 10 * working,
          .working_s = 10 * working,
          .active_s = 10,
          .items = items,
          .slowest_s = 10 * working / static_cast<double>(items)};
}

std::optional<std::size_t> bottleneck_of(const std::vector<StageLoad>& stages) {
  const auto found = find_in_line(stages);
  return found ? std::optional(found->stage) : std::nullopt;
}

TEST(BottleneckTest, TheOneThatAlwaysWorksAndNotTheOneBehindTheLargestFall) {
  EXPECT_EQ(bottleneck_of({load_of("Source", 0.01, 0.99), load_of("Decode", 0.49, 0.49), load_of("Enhance", 0.5, 0.48),
                           load_of("Encode", 1, 0), load_of("Sink", 0.02, 0)}),
            3U);
}

TEST(BottleneckTest, WorkOfMicrosecondsSaysNothing) {
  StageLoad a = load_of("A", 1, 0);
  StageLoad b = load_of("B", 1, 0);
  a.active_s = a.busy_s = a.working_s = 3e-6;
  b.active_s = b.busy_s = b.working_s = 5e-6;
  a.slowest_s = b.slowest_s = 1e-8;  // every item takes as long as the others
  EXPECT_EQ(bottleneck_of({a, b}), std::nullopt);
}

TEST(BottleneckTest, NeverOneThatIsBlockedForHalfItsTime) {
  EXPECT_EQ(bottleneck_of({load_of("A", 0.45, 0.55), load_of("B", 0.4, 0.1)}), 1U);
  EXPECT_EQ(bottleneck_of({load_of("A", 0.5, 0.5)}), std::nullopt);
  for (int first = 0; first <= 10; ++first) {
    for (int second = 0; second <= 10; ++second) {
      const double a = first / 10.0;
      const double b = second / 10.0;
      const std::vector<StageLoad> stages{load_of("A", 1 - a, a), load_of("B", 1 - b, b), load_of("C", 0.3, 0)};
      const auto found = bottleneck_of(stages);
      ASSERT_TRUE(found);
      EXPECT_LT(stages[*found].blocked, 0.5) << a << ", " << b;
    }
  }
}

TEST(BottleneckTest, WhereTheLastBlockedWorkerIsFollowedByARowThatWaitsForItsChild) {
  EXPECT_EQ(bottleneck_of(
                {load_of("A", 0.05, 0.95), load_of("Row", 0.1, 0.02), load_of("Child", 0.5, 0), load_of("D", 0.6, 0)}),
            1U);
}

TEST(BottleneckTest, AStageThatStartsSlowlyIsNone) {
  StageLoad slow_start = load_of("Loads", 0.3, 0, 20);
  slow_start.slowest_s = 2.9;  // its first item
  EXPECT_EQ(bottleneck_of({load_of("Source", 0.01, 0.2, 20), slow_start, load_of("Works", 0.28, 0, 20)}), 2U);
}

TEST(BottleneckTest, AWorkerWithWorkBesideItsStages) {
  StageLoad writes = load_of("Sink", 0.9, 0);
  writes.busy_s = 0.1;  // it flushes when it commits
  EXPECT_EQ(bottleneck_of({load_of("A", 0.5, 0.4), writes}), 1U);
}

TEST(BottleneckTest, SerialGroupsAreWeighedAsOne) {
  StageLoad first = load_of("Group", 0.9, 0);
  StageLoad second = first;
  first.busy_s = 4;
  second.busy_s = 5;
  const std::vector<StageLoad> stages{load_of("A", 0.6, 0.35), first, second, load_of("B", 0.6, 0)};
  EXPECT_EQ(bottleneck_of(stages), 2U);
}

TEST(BottleneckTest, NoneWhereAllWaitForTheOutside) {
  EXPECT_EQ(bottleneck_of({load_of("A", 0.02, 0), load_of("B", 0.05, 0)}), std::nullopt);
}

TEST(BottleneckTest, NoneOfTooFewItems) {
  EXPECT_EQ(bottleneck_of({load_of("A", 0.5, 0, 3), load_of("B", 0.9, 0, 3)}), std::nullopt);
  EXPECT_EQ(bottleneck_of({load_of("A", 0.5, 0, 10), load_of("B", 0.9, 0, 10)}), 1U);
}

/// Source, A and B side by side, Sink.
TEST(BottleneckTest, OfSeveralBehindABlockedOneThatWhichWorksMost) {
  const std::vector<StageLoad> stages{load_of("Source", 0.1, 0.9), load_of("A", 0.2, 0), load_of("B", 0.5, 0),
                                      load_of("Sink", 0.6, 0)};
  const std::vector<WorkerLink> links{{"Source", "A"}, {"Source", "B"}, {"A", "Sink"}, {"B", "Sink"}};
  const auto sut = find_bottleneck(stages, links);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->stage, 2U);
  EXPECT_TRUE(sut->blocked_before);
  EXPECT_FALSE(sut->waiting_behind);
}

TEST(BottleneckTest, WorkersWithoutStagesPassItemsOn) {
  std::vector<StageLoad> stages{load_of("A", 0.3, 0.5), load_of("B", 0.4, 0), load_of("C", 0.5, 0)};
  stages[2].waiting = 0.5;
  const std::vector<WorkerLink> links{{"A", "Row"}, {"Row", "B"}, {"B", "Row"}, {"Row", "Entry"}};
  const auto sut = find_bottleneck(stages, links);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->stage, 1U);
  EXPECT_FALSE(sut->waiting_behind) << "C is not behind B";
}

TEST(ItemsPerSecondTest, OfTooFewOrTooShort) {
  EXPECT_EQ(items_per_second(0, 0), 0);
  EXPECT_EQ(items_per_second(2, 1e-7), 0) << "both in one commit";
  EXPECT_EQ(items_per_second(9, 10), 0);
  EXPECT_EQ(items_per_second(100'000, 0.001), 0);
  EXPECT_DOUBLE_EQ(items_per_second(11, 2), 5);
}

}  // namespace
}  // namespace pystream::profile
