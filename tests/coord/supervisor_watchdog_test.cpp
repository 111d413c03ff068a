#include "coord/supervisor_support.hpp"

namespace pystream::coord {
namespace {

using namespace pystream::coord::test;
using namespace std::chrono_literals;

using SupervisorWatchdogTest = SupervisorTest;

TEST_F(SupervisorWatchdogTest, AHangInCleanupEndsThatWorkerAndFailsTheRunAtItsEnd) {
  use({.timeout = 1s, .start_timeout = 30s});
  start_all();
  const WorkerView cleaning{.cleaning = true, .commits = 9};
  EXPECT_FALSE(has<KillWorker>(tick(cleaning)));
  ASSERT_TRUE(sut_->next_deadline());
  now_ += 30s;
  EXPECT_FALSE(has<KillWorker>(tick(cleaning)));
  now_ += 1ms;
  ASSERT_TRUE(has<KillWorker>(tick(cleaning)));
  const auto actions = sut_->on_exit(kStage, {.signal = SIGKILL, .view = cleaning}, now_);
  EXPECT_FALSE(has<StartWorker>(actions)) << "it has nothing left to do";
  EXPECT_FALSE(has<StopAll>(actions)) << "the others go on with what it has given them";
  EXPECT_FALSE(sut_->failure());
  finish(0);
  EXPECT_TRUE(has<EndRun>(finish(2)));
  ASSERT_TRUE(sut_->failure());
  EXPECT_EQ(sut_->failure()->stage, "MainPipeline__A");
}

TEST_F(SupervisorWatchdogTest, ASlowStartIsKilledOnlyAfterItsOwnDeadline) {
  use({.timeout = 1s, .start_timeout = 30s});
  sut_->start(now_);
  now_ += 30s;
  EXPECT_FALSE(has<KillWorker>(tick()));
  now_ += 1ms;
  const auto kills = actions_of<KillWorker>(tick());
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].id, kStage);
  EXPECT_FALSE(has<KillWorker>(tick())) << "once is enough";
}

TEST_F(SupervisorWatchdogTest, AHangIsKilledAndCounts) {
  use({.max_attempts = 2, .timeout = 1s});
  start_all();
  const WorkerView hanging{.working = true, .stage = 0, .number = 5, .sequence = 5};
  EXPECT_FALSE(has<KillWorker>(tick(hanging)));
  now_ += 1s;
  EXPECT_FALSE(has<KillWorker>(tick(hanging)));
  now_ += 1ms;
  ASSERT_TRUE(has<KillWorker>(tick(hanging)));
  ASSERT_TRUE(die_and_restart({.signal = SIGKILL, .number = 5}));
  EXPECT_EQ(last_.attempts, 1U) << "this SIGKILL was ours";
}

/// Ctrl-Z stops the coordinator and its workers together.
TEST_F(SupervisorWatchdogTest, TimeInWhichNobodyWatchedIsNoHang) {
  use({.timeout = 1s, .start_timeout = 5s});
  start_all();
  const WorkerView working{.working = true, .stage = 0, .number = 5, .sequence = 5};
  tick(working);
  for (int pause = 0; pause < 3; ++pause) {
    now_ += 60s;
    sut_->forgive(60s);
    EXPECT_FALSE(has<KillWorker>(tick(working)));
  }
  now_ += 1001ms;
  EXPECT_TRUE(has<KillWorker>(tick(working))) << "what it was watched for counts";
}

TEST_F(SupervisorWatchdogTest, TimeInWhichNobodyWatchedIsNoPartOfAStartOrACleanup) {
  use({.timeout = 1s, .start_timeout = 5s});
  sut_->start(now_);
  now_ += 60s;
  sut_->forgive(60s);
  EXPECT_FALSE(has<KillWorker>(tick())) << "it starts";
  for (plan::WorkerId id = 0; id < 3; ++id) {
    sut_->on_ready(id, now_);
  }
  const WorkerView cleaning{.cleaning = true, .commits = 9};
  tick(cleaning);
  now_ += 60s;
  sut_->forgive(60s);
  EXPECT_FALSE(has<KillWorker>(tick(cleaning))) << "it cleans up";
  now_ += 5001ms;
  EXPECT_TRUE(has<KillWorker>(tick(cleaning))) << "what it was watched for counts";
}

TEST_F(SupervisorWatchdogTest, WhoeverMovesDoesNotHang) {
  use({.timeout = 1s});
  start_all();
  for (std::uint64_t i = 0; i < 20; ++i) {
    now_ += 900ms;
    EXPECT_FALSE(has<KillWorker>(tick({.working = true, .number = i})));
    now_ += 900ms;
    EXPECT_FALSE(has<KillWorker>(tick({.working = true, .stage = 0, .number = i, .sequence = i, .commits = i + 1})));
    now_ += 10s;
    EXPECT_FALSE(has<KillWorker>(tick({.working = false}))) << "idle is no hang";
  }
}

TEST_F(SupervisorWatchdogTest, NoDeadlineIsInThePastOnceAKillIsOnItsWay) {
  use({.timeout = 1s, .start_timeout = 30s});
  start_all();
  const WorkerView hanging{.working = true, .number = 5};
  tick(hanging);
  now_ += 2s;
  ASSERT_TRUE(has<KillWorker>(tick(hanging)));
  EXPECT_GT(sut_->next_deadline().value_or(now_ + 1s), now_) << "the event loop would spin until the process is gone";
  sut_->on_stop_request();
  now_ += 100s;
  tick();
  EXPECT_GT(sut_->next_deadline().value_or(now_ + 1s), now_);
}

}  // namespace
}  // namespace pystream::coord
