#include "coord/supervisor_support.hpp"

namespace pystream::coord {
namespace {

using namespace pystream::coord::test;
using namespace std::chrono_literals;

TEST_F(SupervisorTest, StartsEveryWorkerOnce) {
  const auto starts = actions_of<StartWorker>(sut_->start(now_));
  ASSERT_EQ(starts.size(), 3U);
  for (plan::WorkerId id = 0; id < 3; ++id) {
    EXPECT_EQ(starts[id].id, id);
    EXPECT_EQ(starts[id].incarnation, 0U);
    EXPECT_FALSE(starts[id].attempt_number);
  }
  EXPECT_FALSE(sut_->all_ready());
  EXPECT_TRUE(sut_->start(now_).empty());
}

TEST_F(SupervisorTest, EndsWhenEveryWorkerHasFinished) {
  start_all();
  EXPECT_FALSE(has<EndRun>(finish(0)));
  EXPECT_FALSE(has<EndRun>(finish(1)));
  EXPECT_TRUE(has<EndRun>(finish(2)));
  EXPECT_FALSE(sut_->failure());
}

TEST_F(SupervisorTest, ACrashIsRestartedAndWakesTheNeighbours) {
  start_all();
  const auto actions = die({.commits = 7, .number = 12});
  ASSERT_EQ(actions_of<WakeNeighbours>(actions).size(), 1U);
  const auto starts = actions_of<StartWorker>(actions);
  ASSERT_EQ(starts.size(), 1U) << "at once, as there was progress";
  EXPECT_EQ(starts[0].id, kStage);
  EXPECT_EQ(starts[0].incarnation, 1U);
  EXPECT_EQ(starts[0].attempt_number, 12U);
  EXPECT_EQ(starts[0].attempts, 1U);
  EXPECT_FALSE(starts[0].give_up);
  EXPECT_EQ(sut_->restarts(kStage), 1U);
}

TEST_F(SupervisorTest, AnExitBeforeTheEndIsACrash) {
  start_all();
  EXPECT_TRUE(has<StartWorker>(die({.signal = 0, .commits = 1, .code = 0})));
  sut_->on_ready(kStage, now_);
  EXPECT_TRUE(has<StartWorker>(die({.signal = 0, .commits = 2, .code = 3})));
}

TEST_F(SupervisorTest, FinishedAndThenKilledIsStartedAgain) {
  start_all();
  const auto actions = sut_->on_exit(kStage, {.signal = SIGKILL, .view = {.finished = true}}, now_);
  EXPECT_TRUE(has<StartWorker>(actions));
}

TEST_F(SupervisorTest, FruitlessRestartsBackOffTwiceAsLongEachTime) {
  use({.max_attempts = 1000}, {.max_restarts = 1000, .backoff_first = 10ms, .backoff_limit = 100ms});
  start_all();
  for (const Time expected : {Time(10ms), Time(20ms), Time(40ms), Time(80ms), Time(100ms), Time(100ms)}) {
    EXPECT_EQ(die_and_restart({}), expected);
  }
  EXPECT_EQ(die_and_restart({.commits = 1}), Time(0)) << "progress resets it";
  EXPECT_EQ(die_and_restart({.commits = 1}), Time(10ms));
}

TEST_F(SupervisorTest, MoreThanMaxRestartsInTheWindowEndsThePipeline) {
  use({.max_attempts = 1000}, {.max_restarts = 3, .window = 60s, .backoff_first = 10ms});
  start_all();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(die_and_restart({.number = 41}));
  }
  const auto actions = die({.signal = SIGSEGV, .number = 41});
  EXPECT_TRUE(has<StopAll>(actions));
  ASSERT_TRUE(sut_->failure());
  EXPECT_EQ(sut_->failure()->stage, "MainPipeline__A");
  EXPECT_EQ(sut_->failure()->signal, SIGSEGV);
  EXPECT_EQ(sut_->failure()->item, 41U);
  EXPECT_NE(sut_->failure()->text.find("SIGSEGV"), std::string::npos) << sut_->failure()->text;
  EXPECT_NE(sut_->failure()->text.find("MainPipeline__A"), std::string::npos);
  EXPECT_NE(sut_->failure()->text.find("41"), std::string::npos);
  EXPECT_FALSE(has<EndRun>(finish(0)));
  EXPECT_TRUE(has<EndRun>(finish(2)));
}

TEST_F(SupervisorTest, OldRestartsAreForgotten) {
  use({.max_attempts = 1000}, {.max_restarts = 3, .window = 60s, .backoff_first = 10ms});
  start_all();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(die_and_restart({})) << i;
    now_ += 21s;
  }
  EXPECT_FALSE(sut_->failure());
}

TEST_F(SupervisorTest, CrashesWithProgressAreNoStorm) {
  use({}, {.max_restarts = 3});
  start_all();
  for (std::uint64_t i = 1; i < 1000; ++i) {
    ASSERT_EQ(die_and_restart({.commits = i, .number = i}), Time(0)) << i;
    ASSERT_EQ(last_.attempts, 1U);
  }
  EXPECT_FALSE(sut_->failure());
}

TEST_F(SupervisorTest, AStormOfOutsideKillsEndsNothing) {
  use({}, {.max_restarts = 3});
  start_all();
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(die_and_restart({.signal = SIGKILL, .commits = i / 2, .number = i})) << i;
    ASSERT_FALSE(last_.give_up);
  }
  EXPECT_FALSE(sut_->failure());
  EXPECT_EQ(sut_->restarts(kStage), 10'000U);
}

TEST_F(SupervisorTest, AStopEndsRestartsAndThenTheRun) {
  use({}, {.max_restarts = 1000});
  start_all();
  die({});  // backs off
  EXPECT_TRUE(has<StopAll>(sut_->on_stop_request()));
  EXPECT_FALSE(has<StopAll>(sut_->on_stop_request())) << "asked twice";
  now_ += 100s;
  EXPECT_FALSE(has<StartWorker>(tick()));
  EXPECT_FALSE(has<EndRun>(finish(0)));
  EXPECT_TRUE(has<EndRun>(finish(2)));
  EXPECT_FALSE(sut_->failure());
}

}  // namespace
}  // namespace pystream::coord
