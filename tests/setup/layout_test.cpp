#include "setup/layout.hpp"

#include "plan/plan_support.hpp"

namespace pystream::setup {
namespace {

using namespace pystream::plan::test;
using plan::Mode;

/// A row with a parallel child between source and sink, all in one worker but for the child.
plan::Plan row_with_child() {
  return make_plan(Mode::serial, {make_stage("A"), make_pipeline("P", Mode::parallel, {make_stage("X")})});
}

TEST(LayoutTest, IdsAreThoseOfTheTopology) {
  const plan::Plan plan = row_with_child();
  const plan::Topology topology = plan::make_topology(plan);
  const shm::SegmentSpec sut = segment_spec(topology, {}, "text");
  EXPECT_EQ(sut.plan, "text");
  ASSERT_EQ(sut.workers.size(), topology.workers.size());
  ASSERT_EQ(sut.links.size(), topology.links.size());
  EXPECT_EQ(sut.workers[0].stages, 3U);
  EXPECT_EQ(sut.workers[0].segments, 2U);
  EXPECT_TRUE(sut.workers[0].tracks_pipeline);
  EXPECT_FALSE(sut.workers[1].tracks_pipeline);
  EXPECT_EQ(sut.links[0].producer, 0U);
  EXPECT_EQ(sut.links[0].consumers, std::vector<std::uint32_t>{1});
  EXPECT_EQ(sut.links[0].answers, shm::Answers::each);
}

TEST(LayoutTest, ATerminalLinkHasNoRing) {
  const plan::Plan plan = row_with_child();
  const shm::SegmentSpec sut = segment_spec(plan::make_topology(plan), {}, {});
  EXPECT_GT(sut.links[1].ring_bytes, 0U);
  EXPECT_EQ(sut.links[2].ring_bytes, 0U);
  EXPECT_EQ(sut.links[2].producer, 0U);
}

TEST(LayoutTest, LinkOptionsAndStatesCount) {
  plan::Plan plan = row_with_child();
  plan.links = {.items = 8, .bytes = 1 << 16, .overflow = plan::Overflow::block};
  const shm::SegmentSpec sut = segment_spec(plan::make_topology(plan), std::vector<std::uint64_t>{0, 100, 0, 50}, {});
  EXPECT_EQ(sut.links[0].items_limit, 8U);
  EXPECT_EQ(sut.links[0].item_limit, 1U << 16);
  EXPECT_EQ(sut.links[0].ring_bytes, 1U << 16);
  EXPECT_EQ(sut.workers[0].checkpoint_bytes, 108U) << "of the segment that needs most";
}

std::uint64_t time_limit_of_first(const plan::Plan& plan) {
  return segment_spec(plan::make_topology(plan), {}, {}).links[0].time_limit_ns;
}

TEST(LayoutTest, LinksThatWaitAreBoundedByTime) {
  plan::Plan plan = make_plan(Mode::parallel, {make_stage("A"), make_stage("B")});
  EXPECT_EQ(time_limit_of_first(plan), 100'000'000U);
  plan.links.time = std::chrono::milliseconds(7);
  EXPECT_EQ(time_limit_of_first(plan), 7'000'000U);
  plan.root.children[0].stage->input_link.emplace().time = plan::Duration(0);
  EXPECT_EQ(time_limit_of_first(plan), 0U) << "the stage's own option";
}

TEST(LayoutTest, LinksThatDropOrAnswerOrLeadToTheUserAreNot) {
  plan::Plan drops = make_plan(Mode::parallel, {make_stage("A")});
  drops.links.overflow = plan::Overflow::drop_newest;
  EXPECT_EQ(time_limit_of_first(drops), 0U);
  EXPECT_EQ(time_limit_of_first(row_with_child()), 0U);
  plan::Plan of_user = make_plan(Mode::parallel, {make_stage("A")});
  of_user.entry = of_user.exit = plan::EndKind::external;
  const shm::SegmentSpec sut = segment_spec(plan::make_topology(of_user), {}, {});
  EXPECT_GT(sut.links[0].time_limit_ns, 0U) << "forward() waits for the stage";
  EXPECT_EQ(sut.links[1].time_limit_ns, 0U);
}

TEST(LayoutTest, WithoutAProfileThereAreNoRows) {
  const plan::Plan plan = row_with_child();
  const plan::Topology topology = plan::make_topology(plan);
  EXPECT_EQ(segment_spec(topology, {}, {}, {.enabled = false}).workers[0].rows, 0U);
  EXPECT_GE(segment_spec(topology, {}, {}).workers[0].rows, 32768U);
}

}  // namespace
}  // namespace pystream::setup
