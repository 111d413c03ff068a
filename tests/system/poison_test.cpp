#include <string>
#include <vector>

#include "cli/coord_program.hpp"

/// Items that kill the worker they come to, with whole pipelines of real processes.
namespace pystream::tests {
namespace {

std::string numbers(int from, int to, int without = -1) {
  std::string lines;
  for (int i = from; i < to; ++i) {
    if (i != without) {
      lines += "line " + std::to_string(i) + "\n";
    }
  }
  return lines;
}

struct Result {
  ProgramRun run;
  std::string out;
};

/// Runs `stages` from 100 numbered lines to a file of lines, without a profile and so without dead letters.
Result run_stages(const std::string& stages, const std::string& more = {}) {
  const TempFolder folder;
  folder.write("in.txt", numbers(0, 100));
  folder.write("plan.json", R"({
    "plugins": ["libpystream_testing.so"],
    "source": {"type": "lines", "params": {"path": "in.txt"}},
    "stages": [)" + stages + R"(],
    "sink": {"type": "file_writer", "params": {"path": "out.txt"}},
    "profiler": {"enabled": false})" + more + "}");
  ProgramRun run = coord({"run", "plan.json"}, {.directory = folder.path()});
  return {std::move(run), folder.read("out.txt")};
}

std::string crash(const std::string& name, const std::string& how, int sequence, const std::string& policy,
                  int attempts = 1000) {
  return R"({"name": ")" + name + R"(", "type": "test.crash", "params": {"how": ")" + how + R"(", "sequence": )" +
         std::to_string(sequence) + R"(, "attempts": )" + std::to_string(attempts) + "}" + policy + "}";
}

const std::string kSkip = R"(, "on_crash": "skip")";

class PoisonPlace : public testing::TestWithParam<int> {};

TEST_P(PoisonPlace, SkippedItemIsTheOnlyOneMissing) {
  const Result result = run_stages(crash("Bad", "segv", GetParam(), kSkip));
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, numbers(0, 100, GetParam()));
}

TEST_P(PoisonPlace, WithoutDeadLettersThePipelineFailsAndSaysWhy) {
  const Result result = run_stages(crash("Bad", "abort", GetParam(), ""));
  EXPECT_EQ(result.run.exit_code, 1);
  EXPECT_CONTAINS(result.run.err, "stage MainPipeline__Bad failed on item " + std::to_string(GetParam()) +
                                      ": the stage was killed by SIGABRT (Aborted), and its worker died 3 times");
  EXPECT_CONTAINS(result.run.err, "this run keeps no dead letters");
}

TEST_P(PoisonPlace, ItemThatPassesAtTheLastAttemptIsNotLost) {
  const Result result = run_stages(crash("Bad", "segv", GetParam(), "", 2));
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, numbers(0, 100));
}

INSTANTIATE_TEST_SUITE_P(FirstMiddleLast, PoisonPlace, testing::Values(0, 50, 99));

TEST(Poison, InASerialRowTheStageThatDiedDecides) {
  const Result result = run_stages(R"({"name": "Row", "mode": "serial", "stages": [{"name": "One", "type": "test.mix"},)" +
                                   crash("Two", "segv", 7, kSkip) + R"(, {"name": "Three", "type": "test.mix"}]})");
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_CONTAINS(result.run.err, "stage MainPipeline__Row__Two was killed by SIGSEGV");
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n') >= 1, true);
}

/// Behind the child the row's input numbers are others than in front of it: two for each item.
const std::string kRow =
    R"({"name": "Row", "mode": "serial", "stages": [FRONT,
        {"name": "Child", "mode": "parallel", "stages": [{"name": "Twice", "type": "test.repeat"}, INSIDE]}, BEHIND]})";

std::string row(std::string front, std::string inside, std::string behind) {
  const auto pass = [](const std::string& name) { return R"({"name": ")" + name + R"(", "type": "test.add", "params": {"n": 0}})"; };
  std::string text = kRow;
  const auto put = [&](const std::string& word, const std::string& stage) {
    text.replace(text.find(word), word.size(), stage.empty() ? pass("Pass" + std::to_string(word.size())) : stage);
  };
  put("FRONT", front);
  put("INSIDE", inside);
  put("BEHIND", behind);
  return text;
}

class PoisonInRow : public testing::TestWithParam<int> {};

TEST_P(PoisonInRow, OnlyThatItemIsMissing) {
  const std::string bad = crash("Bad", "segv", 20, kSkip);
  const std::string stages = GetParam() == 0 ? row(bad, "", "") : GetParam() == 1 ? row("", bad, "") : row("", "", bad);
  const Result result = run_stages(stages);
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    for (char copy = 0; copy < 2 && i != 20; ++copy) {
      expected += "line " + std::to_string(i) + std::string({copy, '\0', '\0', '\0', '\n'});
    }
  }
  EXPECT_EQ(result.out, expected);
}

INSTANTIATE_TEST_SUITE_P(FrontInsideBehind, PoisonInRow, testing::Values(0, 1, 2));

std::string program(const std::string& script, const std::string& policy, int in_flight) {
  return R"({"name": "Program", "type": "exec", "params": {"command": ["sh", "-c", ")" + script +
         R"("], "in_flight": )" + std::to_string(in_flight) + "}" + policy + "}";
}

class PoisonInProgram : public testing::TestWithParam<int> {};

/// With many items in flight the one that killed the program is found all the same.
TEST_P(PoisonInProgram, OnlyThatItemIsMissing) {
  const std::string script = R"(while read -r x; do case \"$x\" in *' 41') exit 3;; esac; echo \"$x\"; done)";
  const Result result = run_stages(program(script, kSkip, GetParam()));
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, numbers(0, 100, 41));
}

INSTANTIATE_TEST_SUITE_P(InFlight, PoisonInProgram, testing::Values(1, 64));

TEST(Poison, SerialPipelineInOneWorkerTriesAgain) {
  const TempFolder folder;
  folder.write("in.txt", numbers(0, 10));
  folder.write("plan.json", R"({
    "plugins": ["libpystream_testing.so"],
    "mode": "serial",
    "source": {"type": "lines", "params": {"path": "in.txt"}},
    "stages": [)" + crash("Bad", "segv", 3, "", 2) + R"(],
    "sink": {"type": "file_writer", "params": {"path": "out.txt"}},
    "profiler": {"enabled": false}})");
  const ProgramRun run = coord({"run", "plan.json"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(folder.read("out.txt"), numbers(0, 10));
}

}  // namespace
}  // namespace pystream::tests
