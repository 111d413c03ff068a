#include "profile/keys.hpp"

#include <set>

#include "plan/random_plan.hpp"
#include "setup/layout.hpp"

/// Which keys a run has in the profile database, for pipelines of every nesting.
namespace pystream::profile::test {
namespace {

using plan::EndKind;
using plan::Mode;
using plan::Plan;
using plan::Topology;

/// Of all keys that begin with `pipeline`, in the order in which items come to them: first and last of the stages.
std::pair<std::string, std::string> ends_of(const Topology& topology, const std::string& pipeline) {
  std::pair<std::string, std::string> ends;
  for (const plan::PlacedStage& placed : topology.stages) {
    if (placed.key.starts_with(pipeline + "__")) {
      ends.first = ends.first.empty() ? placed.key : ends.first;
      ends.second = placed.key;
    }
  }
  return ends;
}

void check_keys(const Plan& plan) {
  const Topology topology = plan::make_topology(plan);
  const shm::SegmentSpec spec = setup::segment_spec(topology, {}, {});
  const std::vector<ProfileKey> sut = profile_keys(topology);
  std::multiset<std::string> expected(topology.pipeline_keys.begin(), topology.pipeline_keys.end());
  for (const plan::PlacedStage& placed : topology.stages) {
    expected.insert(placed.key);
  }
  std::multiset<std::string> found;
  std::set<std::pair<std::uint32_t, std::uint32_t>> places;
  for (const ProfileKey& key : sut) {
    found.insert(key.key);
    if (key.derived()) {
      EXPECT_EQ(std::pair(sut.at(key.first).key, sut.at(key.last.groups.back().back()).key),
                ends_of(topology, key.key));
      EXPECT_TRUE(key.before.groups.empty() || !sut.at(key.before.groups.front().front()).derived());
      continue;
    }
    const shm::WorkerSize& worker = spec.workers.at(key.worker);
    EXPECT_LT(key.index, worker.stages + (worker.tracks_pipeline ? 1 : 0)) << key.key << " has no counters";
    EXPECT_TRUE(places.emplace(key.worker, key.index).second) << key.key << " shares its counters";
  }
  EXPECT_EQ(found, expected);
  ASSERT_FALSE(sut.empty());
  EXPECT_EQ(sut.front().key, "MainPipeline");
}

TEST(KeysTest, EveryStageAndPipelineHasOneInEveryMixture) {
  const std::uint64_t seed = plan::test::seed_of_run();
  for (std::uint64_t i = 0; i < 300 && !testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("PYSTREAM_SEED=" + std::to_string(seed + i));
    check_keys(plan::test::RandomPlan(seed + i).make());
  }
}

TEST(KeysTest, OfReplicasAllThatGiveItsItemsAndTakeThem) {
  using plan::test::make_stage;
  const auto twice = [](plan::Node node) {
    node.replicas = 2;
    return node;
  };
  const Plan plan = plan::test::make_plan(
      Mode::parallel,
      {twice(make_stage("A")),
       plan::test::make_pipeline("P", Mode::parallel, {make_stage("B"), twice(make_stage("C"))}), make_stage("D")});
  const std::vector<ProfileKey> sut = profile_keys(plan::make_topology(plan));
  const auto inner = std::find_if(sut.begin(), sut.end(), [](const ProfileKey& key) { return key.derived(); });
  ASSERT_NE(inner, sut.end());
  const auto names = [&](const std::vector<std::uint32_t>& positions) {
    std::vector<std::string> all;
    for (const std::uint32_t at : positions) {
      all.push_back(sut.at(at).key);
    }
    return all;
  };
  EXPECT_EQ(names(inner->before.groups.at(0)), (std::vector<std::string>{"MainPipeline__A#1", "MainPipeline__A#2"}));
  ASSERT_EQ(inner->last.groups.size(), 1U);
  EXPECT_EQ(names(inner->last.groups.front()),
            (std::vector<std::string>{"MainPipeline__P__C#1", "MainPipeline__P__C#2"}));
}

TEST(KeysTest, ItemsLeaveBranchesWithTheSlowestUnlessTheirAnswersAreMerged) {
  for (const plan::Join join : {plan::Join::zip, plan::Join::merge}) {
    plan::Node views =
        plan::test::make_pipeline("V", Mode::branch, {plan::test::make_stage("A"), plan::test::make_stage("B")});
    views.join = join;
    const plan::Plan plan = plan::test::make_plan(Mode::parallel, {views});
    const std::vector<ProfileKey> sut = profile_keys(plan::make_topology(plan));
    const auto inner = std::find_if(sut.begin(), sut.end(), [](const ProfileKey& key) { return key.derived(); });
    ASSERT_NE(inner, sut.end());
    EXPECT_EQ(inner->last.groups.size(), join == plan::Join::merge ? 1U : 2U);
  }
}

TEST(KeysTest, AlsoRowsOfNothingButParallelPipelines) {
  using plan::test::make_pipeline;
  using plan::test::make_stage;
  for (const Mode outer : {Mode::serial, Mode::parallel}) {
    for (const EndKind ends : {EndKind::external, EndKind::stage}) {
      const auto child = [](const char* name) { return make_pipeline(name, Mode::parallel, {make_stage("X")}); };
      check_keys(plan::test::make_plan(outer, {child("A"), child("B")}, ends));
      check_keys(plan::test::make_plan(outer, {make_pipeline("Row", Mode::serial, {child("A"), child("B")})}, ends));
    }
  }
}

}  // namespace
}  // namespace pystream::profile::test
