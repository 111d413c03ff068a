#include <unistd.h>

#include <csignal>

#include "api/api_support.hpp"

namespace pystream::test {
namespace {

ParallelOptions spawned() {
  ParallelOptions options = kAllResults;
  options.start_method = StartMethod::spawn;
  options.worker_program = PYSTREAM_TEST_SPAWN_WORKER;
  return options;
}

RegisteredStage add(int by) {
  return {"test.add", Params(ParamMap{{"by", by}})};
}

TEST(SpawnTest, RunsRegisteredStagesInAWorkerProgram) {
  Pipeline sut;
  sut.add(add(5), "A").add(RegisteredStage{"test.add"}, "B").parallelize(spawned());
  EXPECT_TRUE(sut.forward(1));
  EXPECT_EQ(sut.get_results<int>(), 7);  // 1 + 5 + the default of 1
  EXPECT_EQ(sut.status().stages.size(), 2U);
}

TEST(SpawnTest, NestsToo) {
  Pipeline child;
  child.add(add(1)).add(add(2)).parallelize(spawned());
  Pipeline sut;
  sut.add(add(10)).add(child.as_stage(), "Child").add(add(20)).parallelize(spawned());
  EXPECT_EQ(sut.forward_all({0, 100}), 2U);
  EXPECT_EQ(read_all<int>(sut, 2), (std::vector<int>{33, 133}));
}

TEST(SpawnTest, ASerialPipelineMayHaveSpawnedChildren) {
  Pipeline child;
  child.add(RegisteredStage{"test.which_process"}).parallelize(spawned());
  Pipeline sut;
  sut.add(child.as_stage(), "Child")
      .serialize({.block_output = true, .output_timeout = kDeadline, .children = spawned()});
  EXPECT_TRUE(sut.forward(1));
  const int pid = sut.get_results<int>().value_or(0);
  EXPECT_GT(pid, 0);
  EXPECT_NE(pid, ::getpid());
}

TEST(SpawnTest, AKilledWorkerIsStartedAgain) {
  Pipeline sut;
  sut.add(add(1), "A").parallelize(spawned());
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(sut.forward(i));
    EXPECT_EQ(sut.get_results<int>(), i + 1);
    ASSERT_TRUE(wait_until([&] {
      const int pid = sut.status().stages[0].pid;
      return pid > 0 && ::kill(pid, SIGKILL) == 0;
    }));
  }
}

TEST(SpawnTest, RefusesCallables) {
  Pipeline sut;
  sut.add([](int x) { return x; }, "Lambda");
  const std::string message = message_of<PipelineInitiationError>([&] { sut.parallelize(spawned()); });
  EXPECT_TRUE(contains(message, "MainPipeline__Lambda"));
  EXPECT_TRUE(contains(message, "StartMethod::fork"));
}

TEST(SpawnTest, ChecksTypesAndParameters) {
  const auto refusal = [](RegisteredStage stage) {
    Pipeline sut;
    sut.add(std::move(stage), "A");
    return message_of<PipelineInitiationError>([&] { sut.parallelize(spawned()); });
  };
  EXPECT_TRUE(contains(refusal({"test.nothing"}), "\"test.nothing\""));
  EXPECT_TRUE(contains(refusal({"test.add", Params(ParamMap{{"wrong", 1}})}), "\"wrong\""));
  EXPECT_TRUE(contains(refusal({"test.add", Params(ParamMap{{"by", "much"}})}), "an integer"));
  EXPECT_TRUE(contains(refusal({"lines"}), "\"lines\" is a source"));
}

TEST(SpawnTest, NamesAMissingWorkerProgram) {
  Pipeline sut;
  sut.add(add(1));
  ParallelOptions options = spawned();
  options.worker_program = "/no/such/program";
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { sut.parallelize(options); }), "/no/such/program"));
}

}  // namespace
}  // namespace pystream::test
