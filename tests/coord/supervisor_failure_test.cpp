#include "coord/supervisor_support.hpp"

namespace pystream::coord {
namespace {

using namespace pystream::coord::test;
using namespace std::chrono_literals;

using SupervisorFailureTest = SupervisorTest;

TEST_F(SupervisorFailureTest, OnCrashFailEndsThePipeline) {
  use({.on_crash = plan::OnCrash::fail});
  start_all();
  EXPECT_TRUE(has<StopAll>(die({.commits = 5, .number = 3})));
  ASSERT_TRUE(sut_->failure());
  EXPECT_EQ(sut_->failure()->item, 3U);
}

TEST_F(SupervisorFailureTest, AFailureOfTheWorkerItselfNamesStageAndItem) {
  start_all();
  WorkerView view{.failure = "disk full", .failure_sequence = 9};
  EXPECT_TRUE(has<StopAll>(sut_->on_exit(kStage, {.code = 1, .view = view}, now_)));
  ASSERT_TRUE(sut_->failure());
  EXPECT_EQ(sut_->failure()->text, "stage MainPipeline__A failed on item 9: disk full");
}

/// It is started once more to end its output; the sink behind it goes on, the source in front of it stops.
TEST_F(SupervisorFailureTest, BehindAWorkerThatFailedWithItemsDoneTheOthersGoOn) {
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
TEST_F(SupervisorFailureTest, ARowAroundAWorkerThatFailedEndsItsOutputToo) {
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
TEST_F(SupervisorFailureTest, RowsBehindAWorkerThatFailedGoOn) {
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

TEST_F(SupervisorFailureTest, ASecondFailureStopsAllAndTheFirstIsTold) {
  start_all();
  sut_->on_exit(kStage, {.code = 1, .view = {.commits = 4, .failure = "first"}}, now_);
  EXPECT_TRUE(has<StopAll>(sut_->on_exit(2, {.code = 1, .view = {.commits = 4, .failure = "second"}}, now_)));
  EXPECT_TRUE(sut_->stopping());
  EXPECT_NE(sut_->failure()->text.find("first"), std::string::npos);
  finish(0);
  EXPECT_TRUE(has<EndRun>(finish(kStage)));
}

TEST_F(SupervisorFailureTest, BehindASinkOrADamagedLinkNothingGoesOn) {
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

}  // namespace
}  // namespace pystream::coord
