#include "setup/process_limits.hpp"

#include <pystream/error.hpp>

#include "plan/plan_support.hpp"

namespace pystream::setup {
namespace {

using namespace pystream::plan::test;
using namespace std::chrono_literals;

/// Two stages that share a worker.
plan::Plan plan_of(const plan::Limits& a, const plan::Limits& b) {
  plan::Plan plan = make_plan(plan::Mode::serial, {make_stage("A"), make_stage("B")});
  plan.root.children[0].stage->limits = a;
  plan.root.children[1].stage->limits = b;
  return plan;
}

TEST(ProcessLimitsTest, OfTwoStagesTheStricterCounts) {
  const plan::Plan plan = plan_of({.memory = 100, .nice = 5, .affinity = {0, 1, 2}},
                                  {.memory = 50, .cpu_time = 2s, .nice = 1, .affinity = {1, 2, 3}});
  const plan::Topology topology = plan::make_topology(plan);
  const ProcessLimits sut = limits_of(topology, 0);
  EXPECT_TRUE(sut.memory());
  EXPECT_EQ(sut.limits, (plan::Limits{.memory = 50, .cpu_time = 2s, .nice = 5, .affinity = {1, 2}}));
  EXPECT_EQ(sut.stage, "MainPipeline__B");
}

TEST(ProcessLimitsTest, WithoutLimitsNothingIsLimited) {
  const plan::Plan plan = plan_of({}, {});
  const ProcessLimits sut = limits_of(plan::make_topology(plan), 0);
  EXPECT_FALSE(sut.memory());
  EXPECT_EQ(sut.limits, plan::Limits{});
  EXPECT_EQ(sut.stage, "");
}

TEST(ProcessLimitsTest, RejectsStagesOfAWorkerWithoutACommonCpu) {
  const plan::Plan plan = plan_of({.affinity = {0}}, {.affinity = {1}});
  const plan::Topology topology = plan::make_topology(plan);
  EXPECT_THROW(limits_of(topology, 0), Error);
}

}  // namespace
}  // namespace pystream::setup
