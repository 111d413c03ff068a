#include "coord/run_assembly.hpp"

#include "plan/plan_support.hpp"
#include "support/temp_folder.hpp"

namespace pystream::coord::test {
namespace {

using namespace pystream::plan::test;

class NoLauncher final : public Launcher {
 public:
  Launched launch(plan::WorkerId, const LaunchFds&) override { return {}; }
};

class RunAssemblyTest : public testing::Test {
 protected:
  RunAssemblyTest() {
    plan_.profiler.folder = folder_.path();
    plan_.restarts.max_restarts = 7;
  }
  RunSpec spec(const std::string& worker_program) {
    return {.name = "test",
            .plan = &plan_,
            .topology = &topology_,
            .worker_program = worker_program,
            .warn = [this](const std::string& text) { warnings_ += text + "\n"; }};
  }
  shm::Segment segment() const { return make_segment(plan_, topology_, {}, "text"); }

  pystream::test::TempFolder folder_;
  plan::Plan plan_ = make_plan(plan::Mode::parallel, {make_stage("A")});
  plan::Topology topology_ = plan::make_topology(plan_);
  std::string warnings_;
};

TEST_F(RunAssemblyTest, PutsTogetherWhatACoordinatorNeeds) {
  const RunAssembly sut(spec(PYSTREAM_TEST_WORKER), segment(), std::make_unique<NoLauncher>());
  const RunSetup setup = sut.setup();
  EXPECT_EQ(setup.name, "test");
  EXPECT_EQ(setup.topology, &topology_);
  EXPECT_EQ(setup.restarts.max_restarts, 7U);
  EXPECT_EQ(setup.segment->plan(), "text");
  EXPECT_NE(setup.launcher, nullptr);
  ASSERT_NE(setup.profiler, nullptr);
  setup.profiler->end("done", {}, {0, 0, 0});
  EXPECT_EQ(warnings_, "");
}

TEST_F(RunAssemblyTest, WithoutAWorkerProgramThereIsNoProfile) {
  const RunAssembly sut(spec(""), segment(), std::make_unique<NoLauncher>());
  EXPECT_EQ(sut.setup().profiler, nullptr);
  EXPECT_NE(sut.profiling().failure, "");
  EXPECT_EQ(sut.segment().map_supervisor().config->path_bytes, 0U) << "no dead letters either";
}

TEST_F(RunAssemblyTest, ARunWithoutAProfileKeepsItsDeadLetters) {
  plan_.profiler.enabled = false;
  const RunAssembly sut(spec(PYSTREAM_TEST_WORKER), segment(), std::make_unique<NoLauncher>());
  EXPECT_EQ(sut.setup().profiler, nullptr);
  EXPECT_EQ(sut.profiling().failure, "");
  const shm::SupervisorView view = sut.segment().map_supervisor();
  EXPECT_GT(view.config->path_bytes, 0U);
  EXPECT_EQ(view.config->run.load(), shm::kNoRun);
}

TEST_F(RunAssemblyTest, AProfilerProcessThatCannotBeStartedIsAWarning) {
  plan_.profiler.folder = "/" + std::string(shm::kDatabasePath, 'x');  // no room for it in the segment
  const RunAssembly sut(spec(PYSTREAM_TEST_WORKER), segment(), std::make_unique<NoLauncher>());
  EXPECT_EQ(sut.setup().profiler, nullptr);
  EXPECT_EQ(warnings_, "no profile is written: " + sut.profiling().failure + "\n");
}

}  // namespace
}  // namespace pystream::coord::test
