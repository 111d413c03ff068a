#include <algorithm>
#include <regex>

#include "support/terminal.hpp"
#include "system/profile_support.hpp"

/// What commands show on terminals, narrow and wide, and in a pipe.
namespace pystream::test {
namespace {

std::string long_name(int number) {
  return "AStageWithAVeryLongNameThatNobodyWouldEverWant" + std::to_string(number);
}

/// A row of stages in one process.
std::string row_of(int stages) {
  std::string text;
  for (int i = 0; i < stages; ++i) {
    text += (i > 0 ? ", " : "") + std::string(R"({"name": ")") + long_name(i) + R"(", "type": "test.add"})";
  }
  return R"({"name": "TheSerialPipelineAroundThem", "mode": "serial", "stages": [)" + text + "]}";
}

class ScreensTest : public ProfileSystemTest, public testing::WithParamInterface<unsigned short> {
 protected:
  Screen on_terminal(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), PYSTREAM_TEST_COORD);
    return run_on_terminal(std::move(arguments), GetParam(), folder_.path(), profiles());
  }
  /// Without what is said of pipelines of other tests, which may be stopped just now.
  static Screen of_own_pipelines(Screen screen) {
    const std::regex others("pystream-coord: process [0-9]+ runs a pipeline and does not answer[^\n]*\n");
    screen.text = std::regex_replace(screen.plain(), others, "");
    return screen;
  }
  void expect_fits(const Screen& screen) const {
    EXPECT_GT(screen.plain().size(), 40U);
    EXPECT_LE(screen.widest(), GetParam()) << screen.plain();
  }
};

TEST_P(ScreensTest, RunAndWhatTellsOfItFit) {
  const std::string file =
      plan(300, "0s", {row_of(30), R"({"name": "B", "type": "wait", "params": {"time": "200us"}})"});
  const Screen run = on_terminal({"run", file});
  EXPECT_NE(run.plain().find("bottleneck"), std::string::npos) << run.plain();
  expect_fits(run);
  ASSERT_EQ(coord({"run", file, "-q"}).exit_code, 0);
  expect_fits(on_terminal({"profile"}));
  expect_fits(on_terminal({"runs"}));
  expect_fits(on_terminal({"diff", "last-1", "last"}));
  expect_fits(on_terminal({"validate", "plan.json"}));
  expect_fits(on_terminal({"graph", "plan.json"}));
}

TEST_P(ScreensTest, TopFits) {
  const PipelineRun running(plan_text(0, "1ms", {row_of(12), R"({"name": "B", "type": "test.mix"})"}), folder_,
                            {"--quiet"});
  const std::string pid = std::to_string(running.pid());
  Screen top;
  ASSERT_TRUE(wait_until([&] {
    top = on_terminal({"top", pid, "--once", "--interval", "0.1"});
    return top.plain().find("working") != std::string::npos;
  }));
  expect_fits(top);
  expect_fits(of_own_pipelines(on_terminal({"list"})));
}

INSTANTIATE_TEST_SUITE_P(Widths, ScreensTest,
                         testing::Values(static_cast<unsigned short>(40), static_cast<unsigned short>(80),
                                         static_cast<unsigned short>(200)));

TEST(HelpScreens, FitAnUsualTerminal) {
  const TempFolder folder;
  const auto widest_of = [&](std::vector<std::string> words) {
    words.insert(words.begin(), PYSTREAM_TEST_COORD);
    const Screen screen = run_on_terminal(words, 80, folder.path(), folder / "profiles");
    EXPECT_GT(screen.plain().size(), 40U);
    return screen.widest();
  };
  for (const char* command : {"init", "run", "chaos", "validate", "graph", "stages", "schema", "profile", "diff",
                              "trace", "report", "dead-letters", "list", "runs", "top", "serve", "stop", "why"}) {
    EXPECT_LE(widest_of({command, "--help"}), 80U) << command;
  }
  EXPECT_LE(widest_of({"--help"}), 80U);
  EXPECT_LE(widest_of({"dead-letters", "replay", "--help"}), 80U);
  EXPECT_LE(widest_of({"stages"}), 80U);
  EXPECT_LE(widest_of({"stages", "exec"}), 80U);
}

/// A run with letters whose reasons try to take over the terminal, and are long.
class ReasonTest : public ProfileSystemTest {
 protected:
  void SetUp() override {
    folder_.write("in.txt", "one\ntwo\n");
    const std::string file = folder_.write("evil.json", R"({"plugins": ["libpystream_testing.so"],
          "source": {"type": "lines", "params": {"path": ")" +
                                                            folder_ / "in.txt" + R"("}},
          "stages": [{"name": "Row", "mode": "serial", "stages": [
            {"name": "Bad", "type": "test.crash", "params": {"how": "throw", "every": 1, "attempts": 99}}]}],
          "sink": {"type": "discard"}})");
    run_ = coord({"run", file});
    const std::string reason =
        "'first' || char(27) || '[2J' || char(27) || ']0;owned' || char(7) || CAST(x'ff' AS TEXT) || '" +
        std::string(200, 'x') + "' || char(10) || 'last'";
    Sqlite sqlite(database());
    sqlite.run("UPDATE dead_letters SET reason = " + reason);
    sqlite.run("UPDATE runs SET reason = " + reason);
    sqlite.run(
        "INSERT INTO events(run, time_ns, kind, worker, signal, code, text) VALUES(1, 1, 'crash', "
        "'MainPipeline__Row', 6, 0, 'stage MainPipeline__Row__Bad was killed: ' || " +
        reason + ")");
  }
  Screen on_terminal(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), PYSTREAM_TEST_COORD);
    return run_on_terminal(std::move(arguments), 80, folder_.path(), profiles());
  }
  ProgramRun run_;
};

TEST_F(ReasonTest, ListsCutReasonsOnATerminalOnly) {
  const std::string piped = coord({"dead-letters", "list"}).out;
  EXPECT_NE(piped.find(std::string(200, 'x')), std::string::npos) << run_.err << piped;
  EXPECT_EQ(std::count(piped.begin(), piped.end(), '\n'), 3) << piped;
  const Screen shown = on_terminal({"dead-letters", "list"});
  EXPECT_LE(shown.widest(), 80U) << shown.plain();
  EXPECT_EQ(std::count(shown.text.begin(), shown.text.end(), '\n'), 3) << shown.text;
  EXPECT_NE(shown.text.find("..."), std::string::npos) << shown.text;
}

TEST_F(ReasonTest, NothingThatATerminalObeysGetsThere) {
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"dead-letters", "list"}, {"dead-letters", "show", "1"}, {"why"}, {"runs"}}) {
    const Screen shown = on_terminal(command);
    EXPECT_EQ(shown.text.find("\x1b]"), std::string::npos) << command[0];
    EXPECT_EQ(shown.text.find("\x1b[2J"), std::string::npos) << command[0];
    EXPECT_EQ(shown.text.find('\xff'), std::string::npos) << command[0];
  }
  EXPECT_NE(on_terminal({"dead-letters", "show", "1"}).text.find("\\x1b[2J"), std::string::npos);
}

TEST_F(ReasonTest, ListsAreAlsoForPrograms) {
  folder_.write("letters.json", coord({"dead-letters", "list", "--json"}).out);
  folder_.write("runs.json", coord({"runs", "--json"}).out);
  const ProgramRun read = run_program(
      {"python3", "-c",
       "import json,sys\nl=json.load(open(sys.argv[1]))\nr=json.load(open(sys.argv[2]))\n"
       "print(len(l), l[0]['stage'], l[0]['item'], 'x' * 200 in l[0]['reason'], r[0]['name'], r[0]['dead_letters'], "
       "r[0]['errors'], r[0]['duration_s'] > 0)",
       folder_ / "letters.json", folder_ / "runs.json"});
  EXPECT_EQ(read.out, "2 MainPipeline__Row__Bad 0 True evil 2 2 True\n") << read.err;
}

TEST_F(ReasonTest, StagesAreNamedByTheirLastPart) {
  EXPECT_EQ(coord({"dead-letters", "list", "--stage", "Bad"}).out, coord({"dead-letters", "list"}).out);
  EXPECT_EQ(coord({"dead-letters", "list", "--stage", "Row"}).out, coord({"dead-letters", "list"}).out);
  EXPECT_EQ(coord({"why", "Row/Bad"}).exit_code, 0);
  const ProgramRun unknown = coord({"why", "Bed"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.err.find("expected a stage of run 1 (did you mean \"Bad\"?)"), std::string::npos) << unknown.err;
  EXPECT_NE(coord({"dead-letters", "show", "1"}).out.find("stage     Row.Bad\n"), std::string::npos);
  for (const ProgramRun& run : {run_, coord({"dead-letters", "list"}), coord({"why"}), coord({"profile"})}) {
    EXPECT_EQ((run.out + run.err).find("MainPipeline__"), std::string::npos) << run.out << run.err;
  }
}

}  // namespace
}  // namespace pystream::test
