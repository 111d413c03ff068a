#include <algorithm>

#include "cli/coord_program.hpp"

namespace pystream::test {
namespace {

const std::vector<std::string> kCommands{"init",   "run",     "chaos", "validate", "graph",  "stages",
                                         "schema", "profile", "diff",  "trace",    "report", "dead-letters",
                                         "list",   "runs",    "top",   "stop",     "why"};

TEST(Frame, HelpNamesEveryCommandAndTheExitCodes) {
  const ProgramRun run = coord({"--help"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.err, "");
  std::string text = run.out;
  std::ranges::replace(text, '\n', ' ');
  EXPECT_CONTAINS(text, "Exit codes: 0 done, 1 failed, 2 bad usage or bad plan, 3 done but items were given up");
  for (const std::string& command : kCommands) {
    EXPECT_CONTAINS(run.out, "\n  " + command + " ");
  }
}

TEST(Frame, EveryCommandHasHelpWithExamples) {
  for (const std::string& command : kCommands) {
    const ProgramRun run = coord({command, "--help"});
    EXPECT_EQ(run.exit_code, 0) << command;
    EXPECT_CONTAINS(run.out, "Usage: pystream-coord " + command);
    EXPECT_CONTAINS(run.out, "Examples:\n  pystream-coord " + command);
  }
}

TEST(Frame, Version) {
  const ProgramRun run = coord({"--version"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, "pystream-coord " PYSTREAM_TEST_VERSION "\n");
}

struct Misuse {
  std::vector<std::string> arguments;
  std::string message;
};

TEST(Frame, MisuseGivesAMessageAndTwo) {
  const std::vector<Misuse> misuses{
      {{}, "pystream-coord: a command is missing\nSee pystream-coord --help\n"},
      {{"valdate", "x"}, "there is no command \"valdate\" (did you mean \"validate\"?)"},
      {{"fish"}, "there is no command \"fish\"\n"},
      {{"--versoin"}, "unknown option --versoin (did you mean \"--version\"?)"},
      {{"validate"}, "PLAN is required\nSee pystream-coord validate --help"},
      {{"validate", "a", "b"}, "unexpected argument b"},
      {{"validate", "a", "--jsno"}, "unknown option --jsno (did you mean \"--json\"?)"},
      {{"validate", "a", "--set"}, "--set"},
      {{"graph", "a", "--format", "pdf"}, "--format: pdf not in"},
  };
  for (const Misuse& misuse : misuses) {
    const ProgramRun run = coord(misuse.arguments);
    EXPECT_EQ(run.exit_code, 2) << misuse.message;
    EXPECT_EQ(run.out, "");
    EXPECT_CONTAINS(run.err, misuse.message);
  }
}

TEST(Frame, AnEmptyValueIsMisuse) {
  const std::vector<std::vector<std::string>> misuses{
      {"run", "p.json", "--output", ""},
      {"run", "p.json", "--input", ""},
      {"run", ""},
      {"validate", "p.json", "--output", ""},
      {"chaos", "p.json", "--kills", "1", "--output", ""},
      {"dead-letters", "replay", "p.json", "--output", ""},
      {"dead-letters", "show", "1", "--bytes", "-o", ""},
      {"graph", "p.json", "-o", ""},
      {"schema", "-o", ""},
      {"profile", "--run", "1", "-o", ""},
      {"trace", "1", "--output", ""},
      {"report", "1", "-o", ""},
  };
  for (const std::vector<std::string>& arguments : misuses) {
    const ProgramRun run = coord(arguments);
    EXPECT_EQ(run.exit_code, 2) << arguments.front() << run.err;
    EXPECT_CONTAINS(run.err, ": found \"\", expected a value\nSee pystream-coord " + arguments.front() + " --help\n");
  }
}

TEST(Frame, AnEmptyOutputLeavesTheFileOfThePlanAsItIs) {
  const TempFolder dir;
  dir.write("in.txt", "new\n");
  dir.write("out.txt", "kept");
  dir.write("p.json", R"({"source": {"type": "lines", "params": {"path": "in.txt"}},
                         "stages": [{"name": "Pass", "type": "wait", "params": {"time": "0s"}}],
                         "sink": {"type": "file_writer", "params": {"path": "out.txt"}},
                         "profiler": {"enabled": false}})");
  EXPECT_EQ(coord({"run", "p.json", "--output", ""}, {.directory = dir.path()}).exit_code, 2);
  EXPECT_EQ(dir.read("out.txt"), "kept");
  EXPECT_EQ(coord({"run", "p.json"}, {.directory = dir.path()}).exit_code, 0);
  EXPECT_EQ(dir.read("out.txt"), "new\n");
}

TEST(Frame, OutputThatFailsIsAFailure) {
  for (const std::string arguments : {"--help", "--version", "stages", "schema"}) {
    const ProgramRun full =
        run_program({"sh", "-c", std::string(PYSTREAM_TEST_COORD " ") + arguments + " > /dev/full"});
    EXPECT_EQ(full.exit_code, 1) << arguments;
    EXPECT_EQ(full.err, "pystream-coord: cannot write standard output: No space left on device\n");
    const ProgramRun closed =
        run_program({"bash", "-c", "exec 9> >(:); sleep 0.2; exec " PYSTREAM_TEST_COORD " " + arguments + " >&9"});
    EXPECT_EQ(closed.exit_code, 1) << arguments;
    EXPECT_EQ(closed.err, "pystream-coord: cannot write standard output: Broken pipe\n");
  }
}

TEST(Frame, AWrongWorkerProgramIsTold) {
  const ProgramRun option = coord({"stages", "--worker-program", "/etc/passwd"});
  EXPECT_EQ(option.exit_code, 2);
  EXPECT_CONTAINS(option.err, "the worker program \"/etc/passwd\" (--worker-program) is not an executable program");
  const ProgramRun variable =
      run_program({PYSTREAM_TEST_COORD, "stages"}, {.environment = {"PYSTREAM_WORKER=/nowhere"}});
  EXPECT_EQ(variable.exit_code, 1);
  EXPECT_CONTAINS(variable.err, "environment variable PYSTREAM_WORKER");
  const ProgramRun broken = coord({"stages", "--worker-program", "/bin/false"});
  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_CONTAINS(broken.err, "/bin/false does not work: the worker program ended with exit code 1");
}

TEST(Frame, NoColourWithoutATerminal) {
  EXPECT_FALSE(contains(coord({"stages"}).out, "\x1b["));
}

TEST(Frame, ColourOnATerminalUnlessNoColor) {
  const std::string command = PYSTREAM_TEST_COORD " stages";
  const auto on_terminal = [&](const std::vector<std::string>& environment) {
    return run_program({"script", "-qec", command, "/dev/null"}, {.environment = environment});
  };
  if (run_program({"sh", "-c", "command -v script"}).exit_code != 0) {
    GTEST_SKIP() << "the program script is not installed";
  }
  EXPECT_CONTAINS(on_terminal({"TERM=xterm", "NO_COLOR"}).out, "\x1b[");
  EXPECT_FALSE(contains(on_terminal({"TERM=xterm", "NO_COLOR=1"}).out, "\x1b["));
}

}  // namespace
}  // namespace pystream::test
