#include "coord/supervisor_support.hpp"

namespace pystream::coord {
namespace {

using namespace pystream::coord::test;
using namespace std::chrono_literals;

using SupervisorSuspectsTest = SupervisorTest;

/// One of eight did it; the one that then does it alone had done it before.
TEST_F(SupervisorSuspectsTest, ADeathInARunCountsForTheItemThatThenKillsAlone) {
  const WorkerView in_run{.working = true, .number = 10, .in_flight = 8, .sequence = 30, .commits = 1};
  for (const int signal : {SIGSEGV, SIGKILL}) {
    use({.max_attempts = 3}, {.max_restarts = 1000});
    start_all();
    const auto actions = sut_->on_exit(kStage, {.signal = signal, .view = in_run}, now_);
    ASSERT_TRUE(has<StartWorker>(actions));
    EXPECT_NE(actions_of<Report>(actions).at(0).text.find("on one of 8 items from 30 on"), std::string::npos);
    EXPECT_FALSE(actions_of<StartWorker>(actions)[0].give_up);
    sut_->on_ready(kStage, now_);
    ASSERT_TRUE(die_and_restart({.signal = SIGSEGV, .commits = 2, .number = 17}));
    EXPECT_EQ(last_.deaths, 2U);
    EXPECT_FALSE(last_.give_up);
    ASSERT_TRUE(die_and_restart({.signal = SIGSEGV, .commits = 2, .number = 17}));
    EXPECT_EQ(last_.deaths, 3U);
    EXPECT_EQ(last_.give_up, signal == SIGSEGV) << "a kill from outside says nothing about the item";
  }
}

/// Inputs in work together at a death go together once more: not each death is the doing of one of them.
TEST_F(SupervisorSuspectsTest, InputsOfTwoDeathsAreTriedOneByOne) {
  use({.max_attempts = 3}, {.max_restarts = 1000});
  start_all();
  const auto die = [&](std::uint64_t number, std::uint32_t in_flight, int signal, std::uint64_t commits) {
    now_ += 1s;
    const auto actions = sut_->on_exit(
        kStage,
        {.signal = signal, .view = {.working = true, .number = number, .in_flight = in_flight, .commits = commits}},
        now_);
    auto starts = actions_of<StartWorker>(actions);
    if (starts.empty()) {
      now_ += 100s;
      starts = actions_of<StartWorker>(sut_->on_tick({{}, {}, {}}, now_));
    }
    sut_->on_ready(kStage, now_);
    return starts.at(0);
  };
  EXPECT_EQ(die(10, 8, SIGABRT, 1).isolate_until, 0U);
  EXPECT_EQ(die(14, 8, SIGABRT, 2).isolate_until, 18U) << "it is one of 14 to 17";
  const StartWorker alone = die(15, 1, SIGABRT, 3);
  EXPECT_EQ(alone.isolate_until, 18U);
  EXPECT_EQ(alone.attempts, 3U);
  EXPECT_TRUE(alone.give_up) << "three deaths, as max_attempts says";
  EXPECT_EQ(die(30, 8, SIGABRT, 4).isolate_until, 18U) << "others";
  EXPECT_EQ(die(50, 8, SIGABRT, 5).isolate_until, 18U) << "and others again";
}

TEST_F(SupervisorSuspectsTest, APolicyThatAllowsNoFurtherDeathTriesInputsOneByOneAtOnce) {
  for (const plan::FaultPolicy& policy :
       {plan::FaultPolicy{.on_crash = plan::OnCrash::skip}, plan::FaultPolicy{.max_attempts = 2}}) {
    use(policy, {.max_restarts = 1000});
    start_all();
    const WorkerView view{.working = true, .number = 10, .in_flight = 8, .commits = 1};
    const auto starts = actions_of<StartWorker>(sut_->on_exit(kStage, {.signal = SIGABRT, .view = view}, now_));
    ASSERT_EQ(starts.size(), 1U);
    EXPECT_EQ(starts[0].isolate_until, 18U);
  }
}

TEST_F(SupervisorSuspectsTest, KillsFromOutsideIsolateOnlyWithoutProgress) {
  use({.max_attempts = 3}, {.max_restarts = 1000});
  start_all();
  std::uint64_t until = 0;
  for (std::uint64_t death = 1; death <= 6; ++death) {
    now_ += 100s;
    const WorkerView view{.working = true, .number = 10, .in_flight = 8, .commits = std::min<std::uint64_t>(death, 4)};
    auto starts = actions_of<StartWorker>(sut_->on_exit(kStage, {.signal = SIGKILL, .view = view}, now_));
    if (starts.empty()) {
      now_ += 100s;
      starts = actions_of<StartWorker>(sut_->on_tick({{}, {}, {}}, now_));
    }
    ASSERT_EQ(starts.size(), 1U);
    until = starts[0].isolate_until;
    EXPECT_EQ(until, death < 6 ? 0U : 18U) << death;
    sut_->on_ready(kStage, now_);
  }
}

/// Who was alone when it was killed from outside has done nothing, whatever the run's death was.
TEST_F(SupervisorSuspectsTest, AKillFromOutsideAloneIsNoGuiltInARunsDeath) {
  use({.on_crash = plan::OnCrash::skip}, {.max_restarts = 1000});
  start_all();
  const WorkerView in_run{.working = true, .number = 10, .in_flight = 8, .commits = 1};
  ASSERT_TRUE(has<StartWorker>(sut_->on_exit(kStage, {.signal = SIGABRT, .view = in_run}, now_)));
  sut_->on_ready(kStage, now_);
  ASSERT_TRUE(die_and_restart({.signal = SIGKILL, .commits = 2, .number = 12}));
  EXPECT_FALSE(last_.give_up);
  EXPECT_EQ(last_.attempts, 0U);
  ASSERT_TRUE(die_and_restart({.signal = SIGABRT, .commits = 3, .number = 15}));
  EXPECT_TRUE(last_.give_up);
  EXPECT_EQ(last_.deaths, 2U) << "it was the one";
}

TEST_F(SupervisorSuspectsTest, ADeathInARunDoesNotCountForAnItemBehindIt) {
  use({.max_attempts = 2}, {.max_restarts = 1000});
  start_all();
  const WorkerView in_run{.working = true, .number = 10, .in_flight = 8, .commits = 1};
  ASSERT_TRUE(has<StartWorker>(sut_->on_exit(kStage, {.signal = SIGSEGV, .view = in_run}, now_)));
  sut_->on_ready(kStage, now_);
  ASSERT_TRUE(die_and_restart({.signal = SIGSEGV, .commits = 2, .number = 18}));
  EXPECT_EQ(last_.deaths, 1U);
  EXPECT_FALSE(last_.give_up);
}

TEST_F(SupervisorSuspectsTest, AKillFromOutsideDoesNotHideWhyTheItemIsSuspected) {
  use({.max_attempts = 2}, {.max_restarts = 1000});
  start_all();
  ASSERT_TRUE(die_and_restart({.signal = SIGSEGV, .number = 5, .stack = "#0 here"}));
  ASSERT_TRUE(die_and_restart({.signal = SIGSEGV, .number = 5, .stack = "#0 there"}));
  ASSERT_TRUE(last_.give_up);
  for (const std::optional<std::uint64_t> number : {std::optional<std::uint64_t>(5), std::optional<std::uint64_t>()}) {
    ASSERT_TRUE(die_and_restart({.signal = SIGKILL, .number = number}));
    EXPECT_TRUE(last_.give_up);
    EXPECT_EQ(last_.signal, SIGSEGV);
    EXPECT_EQ(last_.stack, "#0 there");
    EXPECT_NE(last_.death.find("SIGSEGV"), std::string::npos) << last_.death;
  }
}

}  // namespace
}  // namespace pystream::coord
