#include <cstring>
#include <string>

#include "support/sanitized.hpp"
#include "system/fault_plan.hpp"

/// Items that kill the worker they come to, with whole pipelines of real processes.
namespace pystream::test {
namespace {

class PoisonPlace : public testing::TestWithParam<int> {};

TEST_P(PoisonPlace, SkippedItemIsTheOnlyOneMissing) {
  const FaultRun result = run_stages(crash_stage("Bad", "segv", GetParam(), kSkip));
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, numbered_lines(0, 100, GetParam()));
}

TEST_P(PoisonPlace, ItIsADeadLetterAlsoWithoutAProfile) {
  const FaultRun result = run_stages(crash_stage("Bad", "abort", GetParam(), ""));
  EXPECT_EQ(result.run.exit_code, 3) << result.run.err;
  EXPECT_EQ(result.out, numbered_lines(0, 100, GetParam()));
}

TEST_P(PoisonPlace, WhereNoLetterCanBeKeptThePipelineFailsAndSaysWhy) {
  const FaultRun result = run_stages(crash_stage("Bad", "abort", GetParam(), ""),
                                     R"(, "profiler": {"enabled": false, "folder": "in.txt"})");
  EXPECT_EQ(result.run.exit_code, 1);
  EXPECT_CONTAINS(result.run.err, "stage Bad failed on item " + std::to_string(GetParam()) +
                                      ": the stage was killed by SIGABRT (Aborted), and its worker died 3 times");
  EXPECT_CONTAINS(result.run.err, "cannot become a dead letter");
}

TEST_P(PoisonPlace, ItemThatPassesAtTheLastAttemptIsNotLost) {
  const FaultRun result = run_stages(crash_stage("Bad", "segv", GetParam(), "", 2));
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, numbered_lines(0, 100));
}

INSTANTIATE_TEST_SUITE_P(FirstMiddleLast, PoisonPlace, testing::Values(0, 50, 99));

TEST(Poison, InASerialRowTheStageThatDiedDecides) {
  const FaultRun result =
      run_stages(R"({"name": "Row", "mode": "serial", "stages": [{"name": "One", "type": "test.mix"},)" +
                 crash_stage("Two", "segv", 7, kSkip) + R"(, {"name": "Three", "type": "test.mix"}]})");
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_CONTAINS(result.run.err, "stage Row.Two was killed by SIGSEGV");
}

/// Behind the child the row's input numbers are others than in front of it: two for each item.
const std::string kRow =
    R"({"name": "Row", "mode": "serial", "stages": [FRONT,
        {"name": "Child", "mode": "parallel", "stages": [{"name": "Twice", "type": "test.repeat"}, INSIDE]}, BEHIND]})";

std::string row(std::string front, std::string inside, std::string behind) {
  const auto pass = [](const std::string& name) {
    return R"({"name": ")" + name + R"(", "type": "test.add", "params": {"n": 0}})";
  };
  std::string text = kRow;
  const auto put = [&](const std::string& word, const std::string& stage) {
    text.replace(text.find(word), word.size(), stage.empty() ? pass("Pass" + std::to_string(word.size())) : stage);
  };
  put("FRONT", front);
  put("INSIDE", inside);
  put("BEHIND", behind);
  return text;
}

/// What test.repeat makes of the lines, but for one of them.
std::string twice_without(int without) {
  std::string lines;
  for (int i = 0; i < 100; ++i) {
    for (char copy = 0; copy < 2 && i != without; ++copy) {
      lines += "line " + std::to_string(i) + std::string({copy, '\0', '\0', '\0', '\n'});
    }
  }
  return lines;
}

class PoisonInRow : public testing::TestWithParam<int> {};

TEST_P(PoisonInRow, OnlyThatItemIsMissing) {
  const std::string bad = crash_stage("Bad", "segv", 20, kSkip);
  const std::string stages = GetParam() == 0 ? row(bad, "", "") : GetParam() == 1 ? row("", bad, "") : row("", "", bad);
  const FaultRun result = run_stages(stages);
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, twice_without(20));
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
  const FaultRun result = run_stages(program(script, kSkip, GetParam()));
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, numbered_lines(0, 100, 41));
}

INSTANTIATE_TEST_SUITE_P(InFlight, PoisonInProgram, testing::Values(1, 64));

TEST(Poison, SerialPipelineInOneWorkerTriesAgain) {
  const FaultRun result = run_stages(crash_stage("Bad", "segv", 3, "", 2), kNoProfile + R"(, "mode": "serial")");
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, numbered_lines(0, 100));
}

struct InSerialMain {
  const char* name;
  const char* how;
  const char* policy;
  int code;
};

/// The source is in the process of the stage that fails, and no fault of its own.
class PoisonBehindTheSource : public testing::TestWithParam<InSerialMain> {};

TEST_P(PoisonBehindTheSource, OnlyThatItemIsMissing) {
  const auto& [name, how, policy, code] = GetParam();
  const FaultRun result = run_stages(
      R"({"name": "Twice", "type": "test.repeat", "params": {"n": 2}}, )" + crash_stage("Bad", how, 41, policy),
      R"(, "mode": "serial")");
  EXPECT_EQ(result.run.exit_code, code) << result.run.err;
  EXPECT_EQ(result.out, twice_without(41));
}

INSTANTIATE_TEST_SUITE_P(Policies, PoisonBehindTheSource,
                         testing::Values(InSerialMain{"throw_skip", "throw", R"(, "on_error": "skip")", 0},
                                         InSerialMain{"throw_letter", "throw", "", 3},
                                         InSerialMain{"throw_retry", "throw", R"(, "on_error": "retry")", 3},
                                         InSerialMain{"crash_skip", "segv", R"(, "on_crash": "skip")", 0},
                                         InSerialMain{"crash_letter", "segv", "", 3}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Poison, AStageBehindItsSourceThatIsToFailNamesItsItem) {
  const FaultRun result =
      run_stages(crash_stage("Bad", "throw", 41, R"(, "on_error": "fail")"), kNoProfile + R"(, "mode": "serial")");
  EXPECT_EQ(result.run.exit_code, 1);
  EXPECT_CONTAINS(result.run.err, "failed on item 41");
}

/// While a stage in front waits for room the sink works too, and its commit fails.
TEST(Poison, ASinkThatCannotWriteIsNoFaultOfTheItemInFront) {
  const TempFolder folder;
  folder.write("in.txt", numbered_lines(0, 3));
  folder.write("plan.json", R"({"mode": "serial", "plugins": ["libpystream_testing.so"],
    "source": {"type": "lines", "params": {"path": "in.txt"}},
    "stages": [{"name": "Many", "type": "test.repeat", "params": {"n": 20000}},
               {"name": "Child", "mode": "parallel", "stages": [{"name": "Mix", "type": "test.mix"}]}],
    "sink": {"type": "file_writer", "params": {"path": "/dev/full"}},
    "links": {"capacity": {"items": 10}}})");
  const RunOptions options{.environment = {"PYSTREAM_PROFILES=" + folder / "profiles"}, .directory = folder.path()};
  const ProgramRun run = coord({"run", "plan.json"}, options);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_CONTAINS(run.err, "No space left on device");
  const std::string letters = coord({"dead-letters", "list"}, options).out;
  EXPECT_EQ(letters.find("No space left"), std::string::npos) << letters;
}

/// A letter of more than a mebibyte is a file beside the database.
class LargeLetter : public testing::Test {
 protected:
  ProgramRun run(const std::string& stage_name) {
    folder_.write("plan.json", R"({"plugins": ["libpystream_testing.so"],
      "source": {"type": "generate", "params": {"count": 1, "size": 2000000}},
      "stages": [)" + crash_stage(stage_name, "throw", 0) +
                                   R"(], "sink": {"type": "discard"}})");
    return coord({"run", "plan.json"}, options_);
  }

  TempFolder folder_;
  RunOptions options_{.environment = {"PYSTREAM_PROFILES=" + folder_ / "profiles"}, .directory = folder_.path()};
};

TEST_F(LargeLetter, IsKeptHoweverLongTheStagesNameIs) {
  for (const std::size_t length : {1U, 200U, 300U}) {
    const ProgramRun sut = run(std::string(length, 'n'));
    EXPECT_EQ(sut.exit_code, 3) << sut.err;
    EXPECT_EQ(coord({"dead-letters", "show", "1", "--bytes"}, options_).out.size(), 2'000'000U) << length;
    std::filesystem::remove_all(folder_ / "profiles");
  }
}

TEST_F(LargeLetter, FailsTheRunWhereItsFileCanNeverBe) {
  std::filesystem::create_directory(folder_ / "profiles");
  folder_.write("profiles/dead_letters", "a file of the user's");
  const ProgramRun sut = run("Bad");
  EXPECT_EQ(sut.exit_code, 1) << sut.err;
  EXPECT_CONTAINS(sut.err, "the item cannot become a dead letter");
  EXPECT_CONTAINS(sut.err, "dead_letters");
}

/// A fast stage of a plain type, which gets hundreds of items in one call.
class PoisonInRun : public testing::Test {
 protected:
  static constexpr std::uint64_t kItems = 200'000;
  static constexpr std::uint64_t kBad = 123'460;  ///< not sampled, at whatever rate: those are taken singly

  ProgramRun run(const std::string& policy) {
    folder_.write("plan.json", R"({"plugins": ["libpystream_testing.so"],
      "source": {"type": "test.numbers", "params": {"count": )" +
                                   std::to_string(kItems) + R"(}},
      "stages": [{"name": "Before", "type": "test.times", "params": {"n": 1}},
                 {"name": "Bad", "type": "test.times", "params": {"n": 1, "abort_on": )" +
                                   std::to_string(kBad + 1) + "}" + policy + R"(}],
      "sink": {"type": "file_writer", "params": {"path": "out.bin"}}})");
    return coord({"run", "plan.json"}, options_);
  }

  TempFolder folder_;
  RunOptions options_{.environment = {"PYSTREAM_PROFILES=" + folder_ / "profiles"}, .directory = folder_.path()};
};

TEST_F(PoisonInRun, IsFoundAndIsTheOnlyOneMissing) {
  const ProgramRun result = run("");
  EXPECT_EQ(result.exit_code, 3) << result.err;
  if (!kSanitized) {  // instrumented stages are too slow for runs
    EXPECT_CONTAINS(result.err, "SIGABRT (Aborted) on one of ");
  }
  const std::string out = folder_.read("out.bin");
  ASSERT_EQ(out.size(), (kItems - 1) * sizeof(std::uint64_t));
  for (std::uint64_t i = 0; i + 1 < kItems; ++i) {
    std::uint64_t number = 0;
    std::memcpy(&number, out.data() + i * sizeof(number), sizeof(number));
    ASSERT_EQ(number, i + (i < kBad ? 2 : 3));
  }
  const ProgramRun letter = coord({"dead-letters", "show", "1"}, options_);
  EXPECT_CONTAINS(letter.out, "stage     Bad\n");
  EXPECT_CONTAINS(letter.out, "item      " + std::to_string(kBad));
  EXPECT_CONTAINS(letter.out, "attempts  3");
  const ProgramRun why = coord({"why", "Bad"}, options_);
  EXPECT_CONTAINS(why.out, "on item " + std::to_string(kBad) + ", attempt 3");
}

TEST_F(PoisonInRun, APolicyThatDecidesAtTheFirstDeathKnowsTheItem) {
  const ProgramRun skip = run(kSkip);
  EXPECT_EQ(skip.exit_code, 0) << skip.err;
  EXPECT_EQ(folder_.read("out.bin").size(), (kItems - 1) * sizeof(std::uint64_t));
  EXPECT_EQ(skip.err.find("one of"), std::string::npos) << skip.err;
  const ProgramRun fail = run(R"(, "on_crash": "fail")");
  EXPECT_EQ(fail.exit_code, 1);
  EXPECT_CONTAINS(fail.err, "on item " + std::to_string(kBad));
}

TEST(Poison, ADeadLetterKeepsItemStageSignalAndStack) {
  const TempFolder folder;
  folder.write("in.txt", numbered_lines(0, 100));
  folder.write("plan.json", plan_of(crash_stage("Bad", "segv", 50), ""));
  const RunOptions options{.environment = {"PYSTREAM_PROFILES=" + folder / "profiles"}, .directory = folder.path()};
  const ProgramRun run = coord({"run", "plan.json"}, options);
  EXPECT_EQ(run.exit_code, 3) << run.err;
  EXPECT_EQ(folder.read("out.txt"), numbered_lines(0, 100, 50));
  const ProgramRun letter = coord({"dead-letters", "show", "1"}, options);
  EXPECT_EQ(letter.exit_code, 0) << letter.err;
  EXPECT_CONTAINS(letter.out, "stage     Bad\n");
  EXPECT_CONTAINS(letter.out, "attempts  3");
  EXPECT_CONTAINS(letter.out, "the stage was killed by SIGSEGV");
  EXPECT_CONTAINS(letter.out, "signal    11");
  EXPECT_EQ(coord({"dead-letters", "show", "1", "--bytes"}, options).out, "line 50");
  const ProgramRun why = coord({"why", "Bad"}, options);
  EXPECT_EQ(why.exit_code, 0) << why.err;
  EXPECT_CONTAINS(why.out, "stage Bad was killed by SIGSEGV");
  EXPECT_CONTAINS(why.out, "on item 50, attempt 3");
  EXPECT_CONTAINS(coord({"why", "Other"}, options).out, "stage Other has not died");
}

}  // namespace
}  // namespace pystream::test
