#include <string>

#include "support/sanitized.hpp"
#include "system/fault_plan.hpp"

/// What a stage may use, and what happens when it wants more.
namespace pystream::test {
namespace {

constexpr const char* kNoBadAlloc = "AddressSanitizer's operator new ends the process where others throw bad_alloc";

TEST(Limits, ALeakingStageIsStoppedAtItsLimitAndLosesNothing) {
  if (kSanitized) {
    GTEST_SKIP() << kNoBadAlloc;
  }
  const FaultRun result = run_stages(
      R"({"name": "Leaky", "type": "test.leak", "params": {"bytes": 1048576}, "limits": {"memory": "32MiB"}})");
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, numbered_lines(0, 100));
  EXPECT_CONTAINS(result.run.err, "the memory limit of 33554432 bytes is used up (stage Leaky)");
  EXPECT_CONTAINS(result.run.err,
                  "stage Leaky was killed by SIGABRT (Aborted) (its memory limit of 33554432 bytes is used up)");
  EXPECT_CONTAINS(result.run.err, "crash: stage Leaky was killed by SIGABRT (Aborted), its memory limit of 33554432");
}

TEST(Limits, AnItemThatNeedsMoreThanTheLimitIsPoison) {
  if (kSanitized) {
    GTEST_SKIP() << kNoBadAlloc;
  }
  const FaultRun result = run_stages(
      R"({"name": "Greedy", "type": "test.leak", "params": {"bytes": 67108864}, "limits": {"memory": "32MiB"}})",
      R"(, "profiler": {"enabled": false, "folder": "in.txt"})");  // no place for a letter
  EXPECT_EQ(result.run.exit_code, 1);
  EXPECT_CONTAINS(result.run.err, "stage Greedy failed on item 0: the stage was killed by SIGABRT");
}

TEST(Limits, AStageThatBurnsItsCpuTimeIsStopped) {
  const FaultRun result = run_stages(
      R"({"name": "Hot", "type": "test.burn", "params": {"sequence": 5}, "limits": {"cpu_time": "1s"}, "on_crash": "skip"})");
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, numbered_lines(0, 100, 5));
  EXPECT_CONTAINS(result.run.err, "stage Hot was killed by SIGXCPU");
}

TEST(Limits, ACpuThatThereIsNotIsNamedAtTheStart) {
  const FaultRun result = run_stages(R"({"name": "Pinned", "type": "test.mix", "limits": {"affinity": [1000]}})");
  EXPECT_EQ(result.run.exit_code, 1);
  EXPECT_CONTAINS(result.run.err, "stage Pinned could not start: limits: \"affinity\" names CPU 1000");
}

TEST(Limits, NiceAndAffinityReachTheProgramOfAStage) {
  const FaultRun result = run_stages(
      R"({"name": "Program", "type": "exec",
          "params": {"command": ["sh", "-c", "while read -r x; do echo $(nice) $(nproc); done"]},
          "limits": {"nice": 19, "affinity": [0]}})");
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_TRUE(result.out.starts_with("19 1\n")) << result.out.substr(0, 20);
}

}  // namespace
}  // namespace pystream::test
