#include <filesystem>

#include "cli/coord_program.hpp"

namespace pystream::test {
namespace {

/// Whose words come out of which standard stream of a run, and how few descriptors it gets along with.
class Streams : public testing::Test {
 protected:
  static std::string plan(const std::string& mode, const std::string& sink) {
    return R"({"plugins": [")" + odd_plugin("printing") + R"("], "mode": ")" + mode +
           R"(", "source": {"type": "lines", "params": {"path": "-"}}, "stages": [{"name": "Loud", "type": "odd.print"}],
           "sink": )" +
           sink + R"(, "profiler": {"enabled": false}})";
  }
  ProgramRun run(const std::string& plan, const std::vector<std::string>& options = {}) {
    folder_.write("plan.json", plan);
    std::vector<std::string> words{"run", "plan.json"};
    words.insert(words.end(), options.begin(), options.end());
    return coord(words, {.input = "one\ntwo\n", .directory = folder_.path()});
  }
  TempFolder folder_;
};

TEST_F(Streams, WhatStagesPrintIsTheirLogAndNotAmongTheItems) {
  for (const char* mode : {"parallel", "serial"}) {
    for (const char* sink : {R"({"type": "stdout"})", R"({"type": "file_writer", "params": {"path": "-"}})",
                             R"({"type": "file_writer", "params": {"path": "/dev/stdout", "newline": "always"}})",
                             R"({"type": "odd.output_sink"})"}) {
      const ProgramRun sut = run(plan(mode, sink));
      EXPECT_EQ(sut.exit_code, 0) << sut.err;
      EXPECT_EQ(sut.out, "one\ntwo\n") << mode << " " << sink;
      for (const char* word : {"noise: made", "noise: cout", "noise: printf", "noise: write", "noise: cleaned up"}) {
        EXPECT_CONTAINS(sut.err, word);
      }
    }
  }
}

TEST_F(Streams, WhatStagesPrintIsTheirLogWhateverTheSinkWrites) {
  for (const char* mode : {"parallel", "serial"}) {
    for (const char* sink : {R"({"type": "discard"})", R"({"type": "file_writer", "params": {"path": "out.txt"}})"}) {
      const ProgramRun sut = run(plan(mode, sink));
      EXPECT_EQ(sut.exit_code, 0) << sut.err;
      EXPECT_EQ(sut.out, "") << mode << " " << sink;
      EXPECT_CONTAINS(sut.err, "noise: cout");
    }
  }
}

TEST_F(Streams, ASinkThatHasItsWorkerToItselfMayPrintItsItems) {
  const ProgramRun sut = run(plan("parallel", R"({"type": "odd.print_sink"})"));
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
  EXPECT_EQ(sut.out, "one\ntwo\n");
}

/// Every limit either is enough, and then the output is exact, or is refused in a sentence.
TEST_F(Streams, FewDescriptorsAreEnoughOrRefused) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text += "line " + std::to_string(i) + "\n";
  }
  folder_.write("in.txt", text);
  folder_.write("plan.json", R"({"plugins": ["libpystream_testing.so"],
    "source": {"type": "lines", "params": {"path": "in.txt"}}, "stages": [
      {"type": "exec", "params": {"command": ["cat"]}}, {"type": "test.add", "params": {"n": 0}},
      {"name": "Row", "mode": "serial", "stages": [{"type": "test.add", "params": {"n": 0}}, {"type": "exec", "params": {"command": ["cat"]}}]}],
    "sink": {"type": "file_writer", "params": {"path": "out.txt"}}})");
  int worked = 0;
  int refused = 0;
  for (int limit = 6; limit <= 64; limit += limit < 40 ? 1 : 8) {
    const ProgramRun sut = run_program(
        {"sh", "-c", "ulimit -n " + std::to_string(limit) + "; exec " PYSTREAM_TEST_COORD " run plan.json"},
        {.environment = {"PYSTREAM_WORKER", "PYSTREAM_PROFILES=" + folder_ / "profiles"}, .directory = folder_.path()});
    if (sut.exit_code == 0) {
      ++worked;
      EXPECT_EQ(folder_.read("out.txt"), text) << limit;
      EXPECT_FALSE(contains(sut.err, "open files")) << limit << "\n" << sut.err;
      std::filesystem::remove(folder_ / "out.txt");
    } else {
      ++refused;
      EXPECT_TRUE(contains(sut.err, "descriptors in one process, and the system allows it " + std::to_string(limit)) ||
                  contains(sut.err, "open files") || contains(sut.err, "error while loading shared libraries") ||
                  contains(sut.err, "does not work"))
          << limit << "\n"
          << sut.err;
      EXPECT_FALSE(std::filesystem::exists(folder_ / "out.txt")) << limit;
    }
  }
  EXPECT_GT(worked, 1);
  EXPECT_GT(refused, 5);
}

TEST_F(Streams, ProgramsOfTheUsersHaveTheLimitThatTheUserHas) {
  const std::string plan = R"({"source": {"type": "lines", "params": {"path": "-"}}, "stages": [
      {"type": "exec", "params": {"command": ["sh", "-c", "while read x; do ulimit -S -n; done"]}}],
    "sink": {"type": "stdout"}, "profiler": {"enabled": false}})";
  folder_.write("plan.json", plan);
  const ProgramRun sut =
      run_program({"sh", "-c", "ulimit -S -n 100; exec " PYSTREAM_TEST_COORD " run -q plan.json"},
                  {.input = "one\n", .environment = {"PYSTREAM_WORKER"}, .directory = folder_.path()});
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
  EXPECT_EQ(sut.out, "100\n");
}

}  // namespace
}  // namespace pystream::test
