#include "coord/supervisor_support.hpp"

namespace pystream::coord {
namespace {

using namespace pystream::coord::test;
using namespace std::chrono_literals;

using SupervisorAttemptsTest = SupervisorTest;

TEST_F(SupervisorAttemptsTest, TheSameItemIsGivenUpAfterMaxAttempts) {
  use({.max_attempts = 3}, {.max_restarts = 1000});
  start_all();
  for (std::uint32_t i = 1; i <= 3; ++i) {
    ASSERT_TRUE(die_and_restart({.number = 5}));
    EXPECT_EQ(last_.attempts, i);
    EXPECT_EQ(last_.give_up, i == 3) << i;
  }
  ASSERT_TRUE(die_and_restart({.commits = 1, .number = 6}));
  EXPECT_EQ(last_.attempt_number, 6U);
  EXPECT_EQ(last_.attempts, 1U);
  EXPECT_FALSE(last_.give_up);
}

TEST_F(SupervisorAttemptsTest, ADeathWhileIdleCountsOnNoItem) {
  start_all();
  ASSERT_TRUE(die_and_restart({}));
  EXPECT_FALSE(last_.attempt_number);
  EXPECT_EQ(last_.attempts, 0U);
}

TEST_F(SupervisorAttemptsTest, OutsideKillsHaveALimitOfTheirOwn) {
  use({.max_attempts = 3}, {.max_restarts = 3});
  start_all();
  for (int i = 1; i <= 20; ++i) {
    ASSERT_TRUE(die_and_restart({.signal = SIGKILL, .number = 5})) << i;
    EXPECT_EQ(last_.attempts, 0U) << "the item is innocent";
    EXPECT_EQ(last_.give_up, i == 20) << i;
  }
  EXPECT_FALSE(sut_->failure());
}

/// It has more outputs than a link holds: they are committed part by part.
TEST_F(SupervisorAttemptsTest, AnItemThatGetsOnBetweenOutsideKillsIsNotGivenUp) {
  start_all();
  for (std::uint32_t i = 1; i <= 100; ++i) {
    ASSERT_TRUE(die_and_restart({.signal = SIGKILL, .commits = i, .number = 5})) << i;
    ASSERT_FALSE(last_.give_up) << i;
    EXPECT_EQ(last_.deaths, i) << "attempt() does not go back";
  }
  for (int i = 2; i <= 20; ++i) {
    ASSERT_TRUE(die_and_restart({.signal = SIGKILL, .commits = 100, .number = 5})) << i;
    EXPECT_EQ(last_.give_up, i == 20) << i;
  }
}

/// What a stage does to the world, it may have done, whoever killed it.
TEST_F(SupervisorAttemptsTest, EveryDeathIsToldToTheStage) {
  start_all();
  ASSERT_TRUE(die_and_restart({.signal = SIGKILL, .commits = 1, .number = 5}));
  EXPECT_EQ(last_.deaths, 1U);
  EXPECT_EQ(last_.seen_until, 6U);
  ASSERT_TRUE(die_and_restart({.commits = 2, .number = 3}));
  EXPECT_EQ(last_.deaths, 1U);
  EXPECT_EQ(last_.seen_until, 6U) << "4 and 5 have been in the stage as well";
  const auto starts = actions_of<StartWorker>(sut_->on_exit(
      kStage, {.signal = SIGKILL, .view = {.working = true, .number = 10, .in_flight = 8, .commits = 9}}, now_));
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_EQ(starts[0].seen_until, 18U);
  EXPECT_EQ(starts[0].attempt_number, 3U) << "which of the eight it was is not known";
}

TEST_F(SupervisorAttemptsTest, OnCrashSkipGivesUpAtTheFirstDeath) {
  use({.on_crash = plan::OnCrash::skip});
  start_all();
  ASSERT_TRUE(die_and_restart({.number = 5}));
  EXPECT_TRUE(last_.give_up);
}

TEST_F(SupervisorAttemptsTest, ThePolicyOfTheStageThatDiedCounts) {
  plan::Node row;
  row.name = "Row";
  row.mode = plan::Mode::serial;
  row.children = {make_stage("A", {.max_attempts = 100}), make_stage("B", {.max_attempts = 1})};
  plan_.root.children = {row};
  topology_ = plan::make_topology(plan_);
  sut_.emplace(topology_, plan_.restarts);
  start_all();
  WorkerView view{.working = true, .stage = 1, .number = 5, .commits = 1};
  const auto starts = actions_of<StartWorker>(sut_->on_exit(kStage, {.signal = SIGSEGV, .view = view}, now_));
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_TRUE(starts[0].give_up);
}

}  // namespace
}  // namespace pystream::coord
