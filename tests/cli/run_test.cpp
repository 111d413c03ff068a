#include <algorithm>
#include <filesystem>

#include "cli/coord_program.hpp"

namespace pystream::test {
namespace {

/// Counts up from 0, adds, writes numbers of 8 bytes; `source` are parameters of the source.
std::string counting(const std::string& source) {
  return R"({"plugins": ["libpystream_testing.so"], "source": {"type": "generate", "params": {"size": 8, )" + source +
         R"(}}, "stages": [{"name": "Add", "type": "test.add", "params": {"n": 3}}],
    "sink": {"type": "file_writer", "params": {"path": "out.bin", "newline": "never"}}, "profiler": {"enabled": false}})";
}

constexpr const char* kLines = R"({
  "source": {"type": "lines", "params": {"path": "in.txt"}},
  "stages": [{"name": "Loud", "type": "exec", "params": {"command": ["sed", "-u", "s/$/!/"]}}],
  "sink": {"type": "file_writer", "params": {"path": "out.txt"}},
  "profiler": {"enabled": false}
})";

class Run : public testing::Test {
 protected:
  ProgramRun run(const std::string& plan, std::vector<std::string> options = {}, const std::string& input = {}) {
    folder_.write("plan.json", plan);
    options.insert(options.begin(), {"run", "plan.json"});
    return coord(options, {.input = input, .directory = folder_.path()});
  }
  /// The same on a terminal: what it shows there.
  std::string on_terminal(const std::string& plan, const std::string& options) {
    folder_.write("plan.json", plan);
    const std::string command = PYSTREAM_TEST_COORD " run plan.json " + options;
    const ProgramRun run =
        run_program({"script", "-qec", command, "/dev/null"},
                    {.environment = {"TERM=xterm", "NO_COLOR", "PYSTREAM_WORKER"}, .directory = folder_.path()});
    EXPECT_EQ(run.exit_code, 0) << run.out;
    return run.out;
  }
  std::vector<std::uint64_t> numbers() const {
    const std::string bytes = folder_.read("out.bin");
    std::vector<std::uint64_t> all(bytes.size() / sizeof(std::uint64_t));
    std::copy_n(bytes.data(), all.size() * sizeof(std::uint64_t), reinterpret_cast<char*>(all.data()));
    return all;
  }

  TempFolder folder_;
};

TEST_F(Run, RunsToTheEndOfTheSourceAndShowsATable) {
  folder_.write("in.txt", "one\ntwo\n");
  const ProgramRun sut = run(kLines);
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
  EXPECT_EQ(sut.out, "");
  EXPECT_EQ(folder_.read("out.txt"), "one!\ntwo!\n");
  for (const char* word : {"stage", "items/s", "Source", "Loud", "Sink"}) {
    EXPECT_CONTAINS(sut.err, word);
  }
}

TEST_F(Run, InputAndOutputTakeTheirPlaces) {
  folder_.write("other.txt", "three\n");
  EXPECT_EQ(run(kLines, {"--input", "other.txt", "--output", "there.txt"}).exit_code, 0);
  EXPECT_EQ(folder_.read("there.txt"), "three!\n");
  EXPECT_EQ(run(kLines, {"--input", "-"}, "four\n").exit_code, 0);
  EXPECT_EQ(folder_.read("out.txt"), "four!\n");
}

TEST_F(Run, StandardInputIsThePlanOrItsInput) {
  const std::string plan = R"({"source": {"type": "lines", "params": {"path": "-"}}, "stages": [
      {"name": "Pass", "type": "wait", "params": {"time": "0s"}}], "sink": {"type": "stdout"}})";
  const ProgramRun both = coord({"run", "-", "-q"}, {.input = plan, .directory = folder_.path()});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_CONTAINS(both.err, "the plan comes from standard input");
  folder_.write("lines.txt", "one\n");
  const ProgramRun file =
      coord({"run", "-", "-q", "--input", "lines.txt"}, {.input = plan, .directory = folder_.path()});
  EXPECT_EQ(file.exit_code, 0) << file.err;
  EXPECT_EQ(file.out, "one\n");
}

TEST_F(Run, SetChangesAParameter) {
  EXPECT_EQ(run(counting("\"count\": 3"), {"--set", "Add.n=10", "--set", "Source.count=2"}).exit_code, 0);
  EXPECT_EQ(numbers(), (std::vector<std::uint64_t>{10, 11}));
}

TEST_F(Run, ItemsEndsTheSource) {
  EXPECT_EQ(run(counting("\"count\": 0"), {"--items", "5"}).exit_code, 0);
  EXPECT_EQ(numbers(), (std::vector<std::uint64_t>{3, 4, 5, 6, 7}));
}

TEST_F(Run, DurationDrains) {
  std::vector<std::uint64_t> all;
  for (const char* duration : {"2s", "10s", "40s"}) {  // the start is part of it, and may be slow
    const ProgramRun sut = run(counting("\"count\": 0, \"period\": \"1ms\""), {"--duration", duration});
    EXPECT_EQ(sut.exit_code, 0) << sut.err;
    all = numbers();
    if (!all.empty()) {
      break;
    }
  }
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.back(), all.size() + 2);  // no item was cut off
}

TEST_F(Run, MisuseStartsNothing) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> misuses{
      {{"--duration", "5"}, "--duration: found \"5\", expected a number with a unit, such as 10s or 500ms"},
      {{"--duration", "-5s"}, "--duration"},
      {{"--items", "-1"}, "--items"},
      {{"--items", "many"}, "--items"},
      {{"--items", "99999999999999999999"}, "--items"},
      {{"--set", "Add.n"}, "--set: found \"Add.n\", expected Stage.param=value"},
      {{"--set", "Ad.n=3"}, "did you mean"},
      {{"--log-level", "loud"}, "--log-level"},
  };
  for (const auto& [options, message] : misuses) {
    const ProgramRun sut = run(counting("\"count\": 3"), options);
    EXPECT_EQ(sut.exit_code, 2) << message;
    EXPECT_CONTAINS(sut.err, message);
  }
  EXPECT_EQ(run("{").exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.bin"));
}

TEST_F(Run, WhatACoordinatorWritesForWorkersIsRefused) {
  const ProgramRun sut = run(R"({"$normalized": true, "source": "external", "sink": "external",
    "stages": [{"type": "wait"}]})");
  EXPECT_EQ(sut.exit_code, 2);
  EXPECT_CONTAINS(sut.err, "plan.json: /$normalized: found the key \"$normalized\"");
  EXPECT_CONTAINS(sut.err, "plan.json: /source: found \"external\", expected an object");
  EXPECT_CONTAINS(sut.err, "plan.json: /sink: found \"external\", expected an object");
}

TEST_F(Run, QuietSaysNothingButErrors) {
  EXPECT_EQ(run(counting("\"count\": 3"), {"--quiet"}).err, "");
  const ProgramRun failed = run(counting("\"count\": 3"), {"--quiet", "--output", "/no/such/folder/out"});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_CONTAINS(failed.err, "/no/such/folder/out");
}

TEST_F(Run, KeepsItsFiguresInAFileForPrometheus) {
  folder_.write("in.txt", "one\ntwo\n");
  EXPECT_EQ(run(kLines, {"--metrics", "figures.prom"}).exit_code, 0);
  const std::string figures = folder_.read("figures.prom");
  EXPECT_CONTAINS(figures, "\npystream_stage_items_total{pipeline=\"plan\",stage=\"Loud\"} 2\n");
  EXPECT_CONTAINS(figures, "\npystream_pipeline_state{pipeline=\"plan\",state=\"ended\"} 1\n");
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    EXPECT_EQ(entry.path().string().find(".part-"), std::string::npos) << entry.path();
  }
}

TEST_F(Run, AFileForPrometheusThatCannotBeWrittenStartsNothing) {
  folder_.write("in.txt", "one\n");
  const ProgramRun nowhere = run(kLines, {"--metrics", "/no/such/folder/x.prom"});
  EXPECT_EQ(nowhere.exit_code, 1);
  EXPECT_CONTAINS(nowhere.err, "--metrics: cannot write /no/such/folder/x.prom: No such file or directory");
  const ProgramRun device = run(kLines, {"--metrics", "/dev/null"});
  EXPECT_EQ(device.exit_code, 2);
  EXPECT_CONTAINS(device.err, "no regular file");
  EXPECT_EQ(folder_.read("out.txt"), "");
}

TEST_F(Run, AFullDiskIsAFailureThatNamesTheFile) {
  const ProgramRun sut = run(counting("\"count\": 3"), {"--output", "/dev/full"});
  EXPECT_EQ(sut.exit_code, 1);
  EXPECT_CONTAINS(sut.err, "/dev/full");
  EXPECT_CONTAINS(sut.err, "No space left on device");
}

TEST_F(Run, ClosedStandardDescriptorsDoNoHarm) {
  folder_.write("plan.json", R"({"source": {"type": "lines", "params": {"path": "-"}},
    "stages": [{"type": "exec", "params": {"command": ["cat"]}}], "sink": {"type": "stdout"},
    "profiler": {"enabled": false}})");
  const auto sh = [&](const std::string& script) {
    return run_program({"sh", "-c", script}, {.environment = {"PYSTREAM_WORKER"}, .directory = folder_.path()});
  };
  const std::string command = PYSTREAM_TEST_COORD " run -q plan.json ";
  const ProgramRun no_input = sh(command + "<&-");
  EXPECT_EQ(no_input.exit_code, 1);
  EXPECT_CONTAINS(no_input.err, "standard input");
  const ProgramRun no_output = sh("echo one | " + command + ">&-");
  EXPECT_EQ(no_output.exit_code, 1);
  EXPECT_CONTAINS(no_output.err, "standard output");
  // While the program is being loaded, its libraries come and go there.
  const ProgramRun no_errors = sh("(echo one; sleep 2) | " + command + R"sh(2>&- &
    for i in $(seq 100); do
      [ "$(readlink /proc/$!/fd/2)" = /dev/null ] && echo /dev/null && break
      sleep 0.02
    done
    wait $!)sh");
  EXPECT_EQ(no_errors.exit_code, 0);
  EXPECT_CONTAINS(no_errors.out, "/dev/null\n");  // and not the pipeline's memory
  EXPECT_CONTAINS(no_errors.out, "one\n");
}

TEST_F(Run, ALowLimitOfDescriptorsIsRaised) {
  std::string stages = R"({"type": "test.add"})";
  for (int i = 1; i < 30; ++i) {
    stages += R"(, {"type": "test.add"})";
  }
  folder_.write("plan.json", R"({"plugins": ["libpystream_testing.so"], "source": {"type": "generate",
    "params": {"count": 3}}, "stages": [)" +
                                 stages + R"(], "sink": {"type": "discard"},
    "profiler": {"enabled": false}})");
  const ProgramRun sut = run_program({"sh", "-c", "ulimit -S -n 32; exec " PYSTREAM_TEST_COORD " run -q plan.json"},
                                     {.environment = {"PYSTREAM_WORKER"}, .directory = folder_.path()});
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
}

TEST_F(Run, AFileSizeLimitIsAnErrorOfItsOwn) {
  folder_.write("plan.json", counting("\"count\": 3"));
  const ProgramRun sut = run_program({"sh", "-c", "ulimit -f 0; exec " PYSTREAM_TEST_COORD " run -q plan.json"},
                                     {.environment = {"PYSTREAM_WORKER"}, .directory = folder_.path()});
  EXPECT_EQ(sut.exit_code, 1);
  EXPECT_CONTAINS(sut.err, "File too large");
}

TEST_F(Run, ShowsProgressOnATerminalAndNowhereElse) {
  if (run_program({"sh", "-c", "command -v script"}).exit_code != 0) {
    GTEST_SKIP() << "the program script is not installed";
  }
  const std::string slow = counting("\"count\": 0, \"period\": \"10ms\"");
  std::string shown;
  for (const char* duration : {"2500ms", "10s", "40s"}) {  // the start is part of it, and may be slow
    shown = on_terminal(slow, std::string("--duration ") + duration);
    if (contains(shown, " items, ")) {
      break;
    }
  }
  EXPECT_CONTAINS(shown, "\r\x1b[K");
  EXPECT_CONTAINS(shown, " items, ");
  EXPECT_FALSE(contains(on_terminal(slow, "--quiet --duration 1500ms"), "\x1b"));
  const ProgramRun piped = run(slow, {"--duration", "1500ms"});
  EXPECT_FALSE(contains(piped.err, "\r"));
  EXPECT_FALSE(contains(piped.err, "\x1b"));
}

TEST_F(Run, LogLevelChoosesWhoIsHeard) {
  folder_.write("in.txt", "one\n");
  const std::string noisy = R"({
    "source": {"type": "lines", "params": {"path": "in.txt"}},
    "stages": [{"name": "Noisy", "type": "exec", "params": {"command": ["sh", "-c", "echo careful >&2; exec cat"]}}],
    "sink": {"type": "discard"}, "profiler": {"enabled": false}})";
  EXPECT_CONTAINS(run(noisy).err, "[Noisy] careful");
  EXPECT_FALSE(contains(run(noisy, {"--log-level", "warning"}).err, "careful"));
}

}  // namespace
}  // namespace pystream::test
