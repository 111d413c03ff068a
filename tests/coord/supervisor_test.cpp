#include "coord/supervisor.hpp"

#include <gtest/gtest.h>

#include <csignal>

/// The supervisor with a clock of the test's own: no process, no sleep.
namespace pystream::coord {
namespace {

using namespace std::chrono_literals;

plan::Node make_stage(std::string name, plan::FaultPolicy faults = {}) {
  plan::Node node;
  node.name = std::move(name);
  node.stage.emplace();
  node.stage->type = "pass";
  node.stage->faults = faults;
  return node;
}

template <class T>
std::vector<T> actions_of(const std::vector<Action>& actions) {
  std::vector<T> found;
  for (const Action& action : actions) {
    if (const T* one = std::get_if<T>(&action)) {
      found.push_back(*one);
    }
  }
  return found;
}

template <class T>
bool has(const std::vector<Action>& actions) {
  return !actions_of<T>(actions).empty();
}

/// Worker 0 is the source, 1 the stage A that dies in these tests, 2 the sink.
class SupervisorTest : public ::testing::Test {
 protected:
  static constexpr plan::WorkerId kStage = 1;

  explicit SupervisorTest(plan::FaultPolicy faults = {}, plan::RestartPolicy restarts = {}) {
    plan_.root.name = plan::kMainPipeline;
    plan_.root.children = {make_stage("A", faults)};
    plan_.source = make_stage("");
    plan_.sink = make_stage("");
    plan_.restarts = restarts;
    topology_ = plan::make_topology(plan_);
    sut_.emplace(topology_, plan_.restarts);
  }

  void use(plan::FaultPolicy faults, plan::RestartPolicy restarts = {}) {
    plan_.root.children[0].stage->faults = faults;
    plan_.restarts = restarts;
    topology_ = plan::make_topology(plan_);
    sut_.emplace(topology_, plan_.restarts);
  }

  void start_all() {
    ASSERT_EQ(sut_->start(now_).size(), topology_.workers.size());
    for (plan::WorkerId id = 0; id < topology_.workers.size(); ++id) {
      sut_->on_ready(id, now_);
    }
    ASSERT_TRUE(sut_->all_ready());
  }

  struct Death {
    int signal = SIGSEGV;
    std::uint64_t commits = 0;
    std::optional<std::uint64_t> number{};
    int code = 0;
    std::string stack{};
  };
  std::vector<Action> die(Death death) {
    WorkerView view{.working = true, .commits = death.commits};
    view.number = death.number;
    view.sequence = death.number.value_or(0);
    return sut_->on_exit(kStage, {.code = death.code, .signal = death.signal, .view = view, .stack = death.stack},
                         now_);
  }
  std::vector<Action> finish(plan::WorkerId id) {
    return sut_->on_exit(id, {.code = 0, .signal = 0, .view = {.finished = true}}, now_);
  }
  std::vector<Action> tick(WorkerView stage = {}) { return sut_->on_tick({{}, stage, {}}, now_); }
  /// Lets the time pass until the restart that is due; the start it gives.
  std::optional<StartWorker> wait_for_restart() {
    for (int i = 0; i < 100; ++i) {
      const auto next = sut_->next_deadline();
      if (!next) {
        return std::nullopt;
      }
      now_ = std::max(now_, *next);
      if (const auto starts = actions_of<StartWorker>(tick()); !starts.empty()) {
        sut_->on_ready(kStage, now_);
        return starts[0];
      }
    }
    return std::nullopt;
  }
  /// A death and the restart after it, at once or after a back-off; how long that took.
  std::optional<Time> die_and_restart(Death death) {
    const Time before = now_;
    const auto starts = actions_of<StartWorker>(die(death));
    if (!starts.empty()) {
      last_ = starts[0];
      sut_->on_ready(kStage, now_);
      return 0ns;
    }
    const auto start = wait_for_restart();
    if (!start) {
      return std::nullopt;
    }
    last_ = *start;
    return now_ - before;
  }

  plan::Plan plan_;
  plan::Topology topology_;
  std::optional<Supervisor> sut_;
  Time now_ = 1000s;
  StartWorker last_;
};

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

TEST_F(SupervisorTest, TheSameItemIsGivenUpAfterMaxAttempts) {
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

TEST_F(SupervisorTest, ADeathWhileIdleCountsOnNoItem) {
  start_all();
  ASSERT_TRUE(die_and_restart({}));
  EXPECT_FALSE(last_.attempt_number);
  EXPECT_EQ(last_.attempts, 0U);
}

TEST_F(SupervisorTest, OutsideKillsHaveALimitOfTheirOwn) {
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
TEST_F(SupervisorTest, AnItemThatGetsOnBetweenOutsideKillsIsNotGivenUp) {
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
TEST_F(SupervisorTest, EveryDeathIsToldToTheStage) {
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

/// One of eight did it; the one that then does it alone had done it before.
TEST_F(SupervisorTest, ADeathInARunCountsForTheItemThatThenKillsAlone) {
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
TEST_F(SupervisorTest, InputsOfTwoDeathsAreTriedOneByOne) {
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

TEST_F(SupervisorTest, APolicyThatAllowsNoFurtherDeathTriesInputsOneByOneAtOnce) {
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

TEST_F(SupervisorTest, KillsFromOutsideIsolateOnlyWithoutProgress) {
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
TEST_F(SupervisorTest, AKillFromOutsideAloneIsNoGuiltInARunsDeath) {
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

TEST_F(SupervisorTest, ADeathInARunDoesNotCountForAnItemBehindIt) {
  use({.max_attempts = 2}, {.max_restarts = 1000});
  start_all();
  const WorkerView in_run{.working = true, .number = 10, .in_flight = 8, .commits = 1};
  ASSERT_TRUE(has<StartWorker>(sut_->on_exit(kStage, {.signal = SIGSEGV, .view = in_run}, now_)));
  sut_->on_ready(kStage, now_);
  ASSERT_TRUE(die_and_restart({.signal = SIGSEGV, .commits = 2, .number = 18}));
  EXPECT_EQ(last_.deaths, 1U);
  EXPECT_FALSE(last_.give_up);
}

TEST_F(SupervisorTest, AKillFromOutsideDoesNotHideWhyTheItemIsSuspected) {
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

TEST_F(SupervisorTest, AHangInCleanupEndsThatWorkerAndFailsTheRunAtItsEnd) {
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

TEST_F(SupervisorTest, OnCrashSkipGivesUpAtTheFirstDeath) {
  use({.on_crash = plan::OnCrash::skip});
  start_all();
  ASSERT_TRUE(die_and_restart({.number = 5}));
  EXPECT_TRUE(last_.give_up);
}

TEST_F(SupervisorTest, OnCrashFailEndsThePipeline) {
  use({.on_crash = plan::OnCrash::fail});
  start_all();
  EXPECT_TRUE(has<StopAll>(die({.commits = 5, .number = 3})));
  ASSERT_TRUE(sut_->failure());
  EXPECT_EQ(sut_->failure()->item, 3U);
}

TEST_F(SupervisorTest, AFailureOfTheWorkerItselfNamesStageAndItem) {
  start_all();
  WorkerView view{.failure = "disk full", .failure_sequence = 9};
  EXPECT_TRUE(has<StopAll>(sut_->on_exit(kStage, {.code = 1, .view = view}, now_)));
  ASSERT_TRUE(sut_->failure());
  EXPECT_EQ(sut_->failure()->text, "stage MainPipeline__A failed on item 9: disk full");
}

/// It is started once more to end its output; the sink behind it goes on, the source in front of it stops.
TEST_F(SupervisorTest, BehindAWorkerThatFailedWithItemsDoneTheOthersGoOn) {
  start_all();
  const auto actions =
      sut_->on_exit(kStage, {.code = 1, .view = {.commits = 4, .failure = "no more", .failure_sequence = 9}}, now_);
  const auto stops = actions_of<StopAll>(actions);
  ASSERT_EQ(stops.size(), 1U);
  EXPECT_EQ(stops[0].but, (std::vector<plan::WorkerId>{2}));
  const auto starts = actions_of<StartWorker>(actions);
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_EQ(starts[0].id, kStage);
  EXPECT_TRUE(starts[0].only_ends);
  EXPECT_TRUE(sut_->stopping(0));
  EXPECT_FALSE(sut_->stopping(kStage));
  EXPECT_FALSE(sut_->stopping(2));
  EXPECT_FALSE(has<EndRun>(finish(0)));
  EXPECT_FALSE(has<EndRun>(finish(kStage)));
  EXPECT_TRUE(has<EndRun>(finish(2)));
  EXPECT_EQ(sut_->failure()->text, "stage MainPipeline__A failed on item 9: no more");
}

/// A serial pipeline of nothing but a parallel one.
plan::Node make_row_around_a_child() {
  plan::Node child;
  child.name = "Child";
  child.children = {make_stage("Inner")};
  plan::Node row;
  row.name = "Row";
  row.mode = plan::Mode::serial;
  row.children = {child};
  return row;
}

/// A serial row around a parallel child: the row cannot go on without the child, so it stops and ends its own output.
TEST_F(SupervisorTest, ARowAroundAWorkerThatFailedEndsItsOutputToo) {
  plan::Node row = make_row_around_a_child();
  row.children.insert(row.children.begin(), make_stage("Before"));
  row.children.push_back(make_stage("After"));
  plan_.root.children = {row};
  topology_ = plan::make_topology(plan_);
  sut_.emplace(topology_, plan_.restarts);
  const auto worker_named = [&](std::string_view name) {
    return static_cast<plan::WorkerId>(std::ranges::find(topology_.workers, name, &plan::WorkerSpec::name) -
                                       topology_.workers.begin());
  };
  const plan::WorkerId outer = worker_named("MainPipeline__Row");
  const plan::WorkerId inner = worker_named("MainPipeline__Row__Child__Inner");
  const plan::WorkerId sink = worker_named("MainPipeline__Sink");
  start_all();
  const auto actions = sut_->on_exit(inner, {.code = 1, .view = {.commits = 4, .failure = "no more"}}, now_);
  EXPECT_EQ(actions_of<StopAll>(actions).at(0).but, (std::vector<plan::WorkerId>{sink}));
  EXPECT_FALSE(has<StartWorker>(actions)) << "the row has not ended yet";
  EXPECT_TRUE(sut_->stopping(outer));
  const auto starts = actions_of<StartWorker>(sut_->on_exit(outer, {.signal = SIGKILL}, now_));
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_EQ(starts[0].id, outer);
  EXPECT_TRUE(starts[0].only_ends);
  EXPECT_FALSE(sut_->stopping(outer));
  EXPECT_FALSE(has<EndRun>(finish(0)));
  EXPECT_FALSE(has<EndRun>(finish(outer)));
  EXPECT_TRUE(has<EndRun>(finish(sink)));
}

/// A row around parallel stages, in replicas: with all that stands behind the failure it works on what was given.
TEST_F(SupervisorTest, RowsBehindAWorkerThatFailedGoOn) {
  plan::Node row = make_row_around_a_child();
  row.replicas = 2;
  plan_.root.children = {make_stage("A"), row};
  topology_ = plan::make_topology(plan_);
  sut_.emplace(topology_, plan_.restarts);
  start_all();
  const auto actions = sut_->on_exit(kStage, {.code = 1, .view = {.commits = 4, .failure = "no more"}}, now_);
  const std::vector<plan::WorkerId> go_on = actions_of<StopAll>(actions).at(0).but;
  for (plan::WorkerId id = kStage + 1; id < topology_.workers.size(); ++id) {
    EXPECT_TRUE(std::ranges::find(go_on, id) != go_on.end()) << topology_.workers[id].name;
    EXPECT_FALSE(sut_->stopping(id)) << topology_.workers[id].name;
  }
  const auto starts = actions_of<StartWorker>(actions);
  ASSERT_EQ(starts.size(), 1U);
  EXPECT_EQ(starts[0].id, kStage);
}

TEST_F(SupervisorTest, ASecondFailureStopsAllAndTheFirstIsTold) {
  start_all();
  sut_->on_exit(kStage, {.code = 1, .view = {.commits = 4, .failure = "first"}}, now_);
  EXPECT_TRUE(has<StopAll>(sut_->on_exit(2, {.code = 1, .view = {.commits = 4, .failure = "second"}}, now_)));
  EXPECT_TRUE(sut_->stopping());
  EXPECT_NE(sut_->failure()->text.find("first"), std::string::npos);
  finish(0);
  EXPECT_TRUE(has<EndRun>(finish(kStage)));
}

TEST_F(SupervisorTest, BehindASinkOrADamagedLinkNothingGoesOn) {
  for (const plan::WorkerId id : {plan::WorkerId{2}, kStage}) {
    use({});
    start_all();
    const auto actions = sut_->on_exit(
        id, {.code = 1, .view = {.commits = 4, .failure = "no more", .link_damaged = id == kStage}}, now_);
    EXPECT_TRUE(has<StopAll>(actions));
    EXPECT_FALSE(has<StartWorker>(actions));
    EXPECT_TRUE(sut_->stopping());
  }
}

TEST_F(SupervisorTest, ASlowStartIsKilledOnlyAfterItsOwnDeadline) {
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

TEST_F(SupervisorTest, AHangIsKilledAndCounts) {
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
TEST_F(SupervisorTest, TimeInWhichNobodyWatchedIsNoHang) {
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

TEST_F(SupervisorTest, TimeInWhichNobodyWatchedIsNoPartOfAStartOrACleanup) {
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

TEST_F(SupervisorTest, WhoeverMovesDoesNotHang) {
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

TEST_F(SupervisorTest, NoDeadlineIsInThePastOnceAKillIsOnItsWay) {
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

TEST_F(SupervisorTest, ThePolicyOfTheStageThatDiedCounts) {
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
