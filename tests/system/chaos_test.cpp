#include <algorithm>
#include <string>
#include <vector>

#include "coord/chaos_plan.hpp"
#include "plan/plan.hpp"
#include "system/fault_plan.hpp"

namespace pystream::test {
namespace {

plan::Node stage(const std::string& name) {
  plan::Node node;
  node.name = name;
  node.stage.emplace();
  return node;
}

/// Source, A, B, C, Sink.
class ChaosPlanTest : public testing::Test {
 protected:
  ChaosPlanTest() {
    plan_.root.name = "MainPipeline";
    plan_.source = stage("Source");
    plan_.sink = stage("Sink");
    plan_.root.children = {stage("A"), stage("B"), stage("C")};
    topology_ = plan::make_topology(plan_);
  }

  plan::Plan plan_;
  plan::Topology topology_;
  const std::vector<bool> everybody_ = std::vector<bool>(5, true);
};

TEST_F(ChaosPlanTest, TheSameSeedChoosesTheSame) {
  coord::ChaosPlan a(topology_, coord::ChaosMode::mixed, 42);
  coord::ChaosPlan b(topology_, coord::ChaosMode::mixed, 42);
  coord::ChaosPlan other(topology_, coord::ChaosMode::mixed, 43);
  bool differs = false;
  for (int i = 0; i < 200; ++i) {
    const coord::Strike strike = a.next(everybody_);
    const coord::Strike same = b.next(everybody_);
    EXPECT_EQ(strike.killed, same.killed);
    EXPECT_EQ(strike.stopped, same.stopped);
    differs |= strike.killed != other.next(everybody_).killed;
  }
  EXPECT_TRUE(differs);
}

TEST_F(ChaosPlanTest, PairsAreNeighbours) {
  coord::ChaosPlan chaos(topology_, coord::ChaosMode::pairs, 1);
  for (int i = 0; i < 100; ++i) {
    const coord::Strike strike = chaos.next(everybody_);
    ASSERT_EQ(strike.killed.size(), 2U);
    EXPECT_EQ(strike.killed[1], strike.killed[0] + 1);
  }
}

TEST_F(ChaosPlanTest, OnlyThoseAreHitThatMayBe) {
  const std::vector<bool> some{false, true, false, true, true};
  for (const auto mode : {coord::ChaosMode::single, coord::ChaosMode::pairs, coord::ChaosMode::all,
                          coord::ChaosMode::stop, coord::ChaosMode::mixed}) {
    coord::ChaosPlan chaos(topology_, mode, 7);
    for (int i = 0; i < 200; ++i) {
      const coord::Strike strike = chaos.next(some);
      EXPECT_TRUE(std::ranges::all_of(strike.killed, [&](auto id) { return some[id]; }));
      EXPECT_TRUE(std::ranges::all_of(strike.stopped, [&](auto id) { return some[id]; }));
    }
    EXPECT_TRUE(chaos.next(std::vector<bool>(5, false)).killed.empty());
  }
}

const std::string kStages = R"({"name": "Mix", "type": "test.mix"}, {"name": "Count", "type": "test.count"},
  {"name": "Row", "mode": "serial", "stages": [
    {"name": "Child", "mode": "parallel", "stages": [{"name": "Twice", "type": "test.repeat"}]},
    {"name": "Some", "type": "test.filter", "params": {"n": 3}}]})";

std::string endless(const std::string& more) {
  return R"({"plugins": ["libpystream_testing.so"], "source": {"type": "generate", "params": {"size": 100}},
             "stages": [)" +
         kStages + R"(], "sink": {"type": "file_writer", "params": {"path": "out.bin"}})" + more + "}";
}

class ChaosRun : public testing::TestWithParam<const char*> {};

TEST_P(ChaosRun, NothingIsLostAndTheOutputIsTheSame) {
  const TempFolder folder;
  folder.write("plan.json", endless(kNoProfile));
  const ProgramRun run = coord({"chaos", "plan.json", "--kills", "25", "--seed", "5", "--mode", GetParam(),
                                "--interval", "5ms", "--items", "100000", "--verify"},
                               {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_CONTAINS(run.out, "seed 5\n");
  EXPECT_CONTAINS(run.out, "0 lost, 0 doubled, 0 out of order");
  EXPECT_CONTAINS(run.out, "the same bytes as undisturbed");
  EXPECT_CONTAINS(run.out, "verdict   clean");
}

INSTANTIATE_TEST_SUITE_P(Modes, ChaosRun, testing::Values("single", "pairs", "all", "stop", "mixed"));

TEST(Chaos, AnEndlessSourceIsDrainedAfterTheLastKill) {
  const TempFolder folder;
  folder.write("plan.json", endless(""));
  const ProgramRun run =
      coord({"chaos", "plan.json", "--kills", "20", "--seed", "6"},
            {.environment = {"PYSTREAM_PROFILES=" + folder / "profiles"}, .directory = folder.path()});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_CONTAINS(run.out, "verdict   clean");
}

TEST(Chaos, DroppedItemsAreNotClean) {
  const TempFolder folder;
  folder.write("plan.json",
               endless(kNoProfile + R"(, "links": {"overflow": "drop_newest", "capacity": {"items": 2}})"));
  const ProgramRun run = coord({"chaos", "plan.json", "--kills", "5", "--seed", "7"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
  EXPECT_CONTAINS(run.out, "dropped by full links");
  EXPECT_CONTAINS(run.out, "verdict   not clean");
}

/// The kills come so quickly that nobody has finished its start when the last of them comes.
TEST(Chaos, ItIsOverOnceThePipelineGoesOnAfterTheLastKill) {
  const TempFolder folder;
  folder.write("plan.json", endless(kNoProfile));
  const ProgramRun run =
      coord({"chaos", "plan.json", "--kills", "3", "--seed", "7", "--interval", "100us"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(run.out.find("items     0 in"), std::string::npos) << run.out;
}

TEST(Chaos, ASourceThatEndsTooSoonIsTold) {
  const TempFolder folder;
  folder.write("in.txt", numbered_lines(0, 5));
  folder.write("plan.json", plan_of(R"({"name": "Mix", "type": "test.mix"})", kNoProfile));
  const ProgramRun run =
      coord({"chaos", "plan.json", "--kills", "5", "--seed", "7", "--interval", "60s"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
  EXPECT_CONTAINS(run.out, "the source ended too soon: after 0 of 5 kills");
}

}  // namespace
}  // namespace pystream::test
