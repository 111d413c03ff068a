#include "coord/stall_watch.hpp"

#include <gtest/gtest.h>

/// With a clock of the test's own.
namespace pystream::coord {
namespace {

using namespace std::chrono_literals;

plan::Node make_stage(std::string name, std::optional<Time> timeout = {}) {
  plan::Node node;
  node.name = std::move(name);
  node.stage.emplace();
  node.stage->type = "pass";
  node.stage->faults.timeout = timeout;
  return node;
}

/// Worker 0 is the source, 1 the stage Free, 2 the stage Timed, 3 the sink.
class StallWatchTest : public ::testing::Test {
 protected:
  StallWatchTest() {
    plan_.root.name = plan::kMainPipeline;
    plan_.root.children = {make_stage("Free"), make_stage("Timed", 1min)};
    plan_.source = make_stage("");
    plan_.sink = make_stage("");
    topology_ = plan::make_topology(plan_);
    sut_.emplace(topology_);
  }
  static WorkerView at(std::uint64_t item) {
    return {.working = true, .number = item, .sequence = item, .commits = item};
  }
  /// A look after `later`; gives the workers that are reported.
  std::vector<plan::WorkerId> look(Time later) {
    now_ += later;
    std::vector<plan::WorkerId> all;
    for (const StallWatch::Stall& stall : sut_->look(views_, now_)) {
      all.push_back(stall.id);
      age_ = stall.age;
    }
    return all;
  }

  plan::Plan plan_;
  plan::Topology topology_;
  std::optional<StallWatch> sut_;
  std::vector<WorkerView> views_ = std::vector<WorkerView>(4);
  Time now_ = 1h;
  Time age_{};
};

using Ids = std::vector<plan::WorkerId>;

TEST_F(StallWatchTest, ReportsAnItemOnceAfterTenSeconds) {
  views_[1] = at(7);
  EXPECT_EQ(look(0s), Ids{});
  EXPECT_EQ(look(9s), Ids{});
  EXPECT_EQ(look(2s), Ids{1});
  EXPECT_EQ(age_, 11s);
  EXPECT_EQ(look(1h), Ids{}) << "once for each item";
  EXPECT_EQ(sut_->age(1), 1h + 11s);
}

TEST_F(StallWatchTest, WhatMovesIsNoStall) {
  for (std::uint64_t item = 0; item < 20; ++item) {
    views_[1] = at(item);
    EXPECT_EQ(look(6s), Ids{});
  }
  views_[1] = at(20);
  look(6s);
  views_[1].commits = 99;  // an item of many outputs, committed part by part
  EXPECT_EQ(look(6s), Ids{});
  views_[1].working = false;  // it waits for input or for room
  EXPECT_EQ(look(1h), Ids{});
  EXPECT_EQ(sut_->age(1), std::nullopt);
}

TEST_F(StallWatchTest, SourcesAndStagesWithATimeoutAreLeftAlone) {
  views_[0] = views_[2] = at(1);
  look(0s);
  EXPECT_EQ(look(1h), Ids{});
  EXPECT_EQ(sut_->age(0), std::nullopt) << "a source may wait for the world";
  EXPECT_EQ(sut_->age(2), 1h) << "it is shown all the same";
}

TEST_F(StallWatchTest, AStageThatIsSlowAgainAndAgainIsReportedMoreAndMoreSeldom) {
  int reports = 0;
  for (std::uint64_t item = 0; item < 100; ++item) {
    views_[3] = at(item);
    look(0s);
    reports += static_cast<int>(look(15s).size());
  }
  EXPECT_GE(reports, 4);
  EXPECT_LE(reports, 9) << "of 100 slow items";
}

TEST_F(StallWatchTest, TheNextLookIsDueWithinSeconds) {
  look(0s);
  EXPECT_GT(sut_->next_look(), now_);
  EXPECT_LE(sut_->next_look(), now_ + 5s);
}

TEST_F(StallWatchTest, TheTextNamesStageItemAndAge) {
  const std::string text = stall_text("MainPipeline__A", at(7), 12'345ms);
  EXPECT_NE(text.find("MainPipeline__A has been working on item 7 for 12 s"), std::string::npos) << text;
  EXPECT_NE(text.find("timeout"), std::string::npos) << text;
}

}  // namespace
}  // namespace pystream::coord
