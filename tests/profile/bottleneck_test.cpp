#include "profile/bottleneck.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace pystream::profile {
namespace {

TEST(BottleneckTest, NothingLimitsNothing) {
  EXPECT_FALSE(find_bottleneck({}));
}

TEST(BottleneckTest, WithoutBlockingTheOneThatWorksMost) {
  const std::vector<StageLoad> stages{{"A", 0, 1}, {"B", 0.1, 3}, {"C", 0, 2}};
  const auto sut = find_bottleneck(stages);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->stage, 1U);
  EXPECT_FALSE(sut->blocked_before);
}

TEST(BottleneckTest, WhereBlockedStagesEndHoweverLittleItWorks) {
  // C waits for a child of its own, say: its stages are quick, and still everything in front of it waits for it.
  const std::vector<StageLoad> stages{{"A", 0.96, 1}, {"B", 0.84, 9}, {"C", 0.07, 2}, {"D", 0, 5}};
  const auto sut = find_bottleneck(stages);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->stage, 2U);
  EXPECT_TRUE(sut->blocked_before);
}

TEST(BottleneckTest, OfAWorkersStagesTheOneThatWorksMost) {
  const std::vector<StageLoad> stages{{"A", 0.9, 1}, {"B", 0, 2}, {"B", 0, 7}, {"B", 0, 3}, {"C", 0, 9}};
  const auto sut = find_bottleneck(stages);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->stage, 2U);
}

}  // namespace
}  // namespace pystream::profile
