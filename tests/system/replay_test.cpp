#include <filesystem>
#include <string>
#include <thread>

#include "support/link.hpp"
#include "system/fault_plan.hpp"

/// Dead letters that are fed to a plan again.
namespace pystream::test {
namespace {

/// A run with letters, and what is done with them afterwards.
class Replay : public testing::Test {
 protected:
  void run_broken(const std::string& stages) {
    folder_.write("in.txt", numbered_lines(0, 100));
    folder_.write("broken.json", plan_of(stages, ""));
    const ProgramRun run = coord({"run", "broken.json"}, options_);
    EXPECT_EQ(run.exit_code, 3) << run.err;
  }
  ProgramRun replay(std::vector<std::string> more) {
    more.insert(more.begin(), {"dead-letters", "replay"});
    return coord(more, options_);
  }
  std::string list() { return coord({"dead-letters", "list"}, options_).out; }

  const TempFolder folder_;
  const RunOptions options_{.environment = {"PYSTREAM_PROFILES=" + folder_ / "profiles"}, .directory = folder_.path()};
};

std::string bad(const std::string& name, int first, int every) {
  return R"({"name": ")" + name + R"(", "type": "test.crash", "params": {"how": "throw", "sequence": )" +
         std::to_string(first) + R"(, "every": )" + std::to_string(every) + R"(, "attempts": 99}})";
}

const std::string kTwice = R"({"name": "Twice", "type": "test.repeat", "params": {"n": 2}})";

TEST_F(Replay, TheLettersComeOutOfTheMendedPlanInTheirOrder) {
  run_broken(R"({"name": "Before", "type": "test.mix"}, )" + bad("Bad", 10, 40));
  folder_.write("mended.json", plan_of(R"({"name": "Before", "type": "test.mix"},
                                          {"name": "Bad", "type": "test.crash", "params": {"sequence": 1000}})",
                                       ""));
  const ProgramRun run = replay({"mended.json", "--output", "rest.txt"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_CONTAINS(run.err, "3 letters replayed from Bad on: 3 came out, 0 given up again");
  const std::string rest = folder_.read("rest.txt");
  std::string kept;
  for (int letter = 1; letter <= 3; ++letter) {
    kept += coord({"dead-letters", "show", std::to_string(letter), "--bytes"}, options_).out + "\n";
  }
  EXPECT_EQ(rest, kept) << "the stage before it is not run again";
}

TEST_F(Replay, WhatStandsBehindTheStageRunsToo) {
  run_broken(bad("Bad", 7, 0) + ", " + kTwice);
  const ProgramRun run = replay({"broken.json", "1", "--set", "Bad.sequence=1000", "--output", "rest.txt", "--remove"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const auto copy = [](char n) { return "line 7" + std::string({n, '\0', '\0', '\0', '\n'}); };
  EXPECT_EQ(folder_.read("rest.txt"), copy(0) + copy(1));
  EXPECT_EQ(list(), "no dead letters\n") << "--remove";
}

/// In a serial pipeline the letter holds the item as it came to the process, so its first stage is where it begins.
TEST_F(Replay, InASerialPipelineItBeginsWhereTheProcessTakesItems) {
  run_broken(kTwice +
             R"(, {"name": "Row", "mode": "serial", "stages": [{"name": "One", "type": "test.add", "params": {"n": 1}},
                         {"name": "Child", "mode": "parallel", "stages": [{"name": "In", "type": "test.add", "params": {"n": 256}}]},
                         {"name": "Two", "type": "test.add", "params": {"n": 65536}}, )" +
             bad("Bad", 3, 0) + "]}");
  const ProgramRun run = replay({"broken.json", "--set", "Row__Bad.sequence=1000", "--output", "rest.txt"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const auto copy = [](char n) { return "mjoe 3" + std::string({n, '\0', '\0', '\0', '\n'}); };
  EXPECT_EQ(folder_.read("rest.txt"), copy(0) + copy(1)) << "'l' + 1, 'i' + 1, 'n' + 1: each stage once";
}

std::string branches(const std::string& join, const std::string& stages) {
  return R"({"name": "V", "mode": "branch", "join": ")" + join + R"(", "stages": [)" + stages + "]}";
}

TEST_F(Replay, OfABranchItGoesThroughThatBranchAlone) {
  run_broken(
      branches("merge", R"({"name": "Other", "type": "test.add"}, {"name": "Mine", "mode": "parallel", "stages": [)" +
                            kTwice + ", " + bad("Bad", 10, 40) + "]}") +
      R"(, {"name": "Behind", "type": "test.add", "params": {"n": 0}})");
  const ProgramRun run = replay({"broken.json", "--set", "Bad.sequence=1000", "--output", "rest.txt"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_CONTAINS(run.err, "6 letters replayed from V.Mine.Bad on: 6 came out");
  EXPECT_EQ(std::ranges::count(folder_.read("rest.txt"), '\n'), 6) << "three items, twice each";
}

TEST_F(Replay, OfABranchThatIsZippedItIsRefused) {
  run_broken(branches("zip", R"({"name": "Other", "type": "test.add"}, )" + bad("Bad", 10, 40)));
  const ProgramRun run = replay({"broken.json", "--set", "Bad.sequence=1000", "--output", "rest.txt"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err, "the letters are of a branch of V, whose answers are joined by \"zip\"");
}

TEST_F(Replay, OfABranchThatOthersMayHaveAnsweredItIsRefused) {
  run_broken(
      branches("first", R"({"name": "Other", "type": "wait", "params": {"time": "0s"}}, )" + bad("Bad", 10, 40)));
  EXPECT_EQ(std::ranges::count(folder_.read("out.txt"), '\n'), 100);
  const ProgramRun run = replay({"broken.json", "--set", "Bad.sequence=1000", "--output", "rest.txt"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err, "would come out twice");
}

TEST_F(Replay, WhatATapHasPutAsideIsNotWrittenOver) {
  run_broken(bad("Bad", 10, 40) + ", " +
             branches("none", R"({"name": "Log", "type": "file_writer", "params": {"path": "log.txt"}})"));
  const std::string log = folder_.read("log.txt");
  const ProgramRun over = replay({"broken.json", "--set", "Bad.sequence=1000", "--output", "rest.txt"});
  EXPECT_EQ(over.exit_code, 2);
  EXPECT_CONTAINS(over.err,
                  "the sink V.Log would overwrite log.txt; name another output for the replay with "
                  "--set V.Log.path=NEW");
  EXPECT_EQ(folder_.read("log.txt"), log);
  const ProgramRun run =
      replay({"broken.json", "--set", "Bad.sequence=1000", "--set", "V.Log.path=log2.txt", "--output", "rest.txt"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(folder_.read("log2.txt"), folder_.read("rest.txt"));
  EXPECT_EQ(folder_.read("log.txt"), log);
}

TEST_F(Replay, ThePlanOfTheRunWritesIntoNewFilesOfAFolder) {
  run_broken(bad("Bad", 10, 40) + ", " +
             branches("none", R"({"name": "Log", "type": "file_writer", "params": {"path": "log.txt"}})"));
  const std::string out = folder_.read("out.txt");
  const std::string log = folder_.read("log.txt");
  std::filesystem::remove(folder_ / "broken.json");
  for (const char* number : {"1", "2"}) {  // replayed twice; numbered anew, the letters do not fail at item 0
    const ProgramRun run = replay({"@run", "1", "--into", "again"});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_CONTAINS(run.err, "what comes out of Sink is in " + folder_ / "again/Sink-" + number + ".txt");
    EXPECT_EQ(folder_.read(std::string("again/Sink-") + number + ".txt"), "line 10\n");
    EXPECT_EQ(folder_.read(std::string("again/Log-") + number + ".txt"), "line 10\n");
  }
  EXPECT_EQ(folder_.read("out.txt"), out);
  EXPECT_EQ(folder_.read("log.txt"), log);
  EXPECT_EQ(replay({"@run", "1", "--into", "again", "--output", "x"}).exit_code, 2);
  EXPECT_CONTAINS(replay({"@run", "1", "--set", "Bad.sequence=7", "--into", "again"}).err, "need a plan file");
  const ProgramRun over = replay({"@run", "1"});
  EXPECT_EQ(over.exit_code, 2);
  EXPECT_CONTAINS(over.err, "the sink would overwrite out.txt");
}

TEST_F(Replay, OfATapItEndsInTheSinkOfThatTap) {
  run_broken(branches("none", R"({"name": "Tap", "mode": "parallel", "stages": [)" + bad("Bad", 10, 40) +
                                  R"(, {"name": "Log", "type": "file_writer", "params": {"path": "log.txt"}}]})") +
             ", " + kTwice);
  const std::string log = folder_.read("log.txt");
  const ProgramRun over = replay({"broken.json", "--set", "Bad.sequence=1000"});
  EXPECT_EQ(over.exit_code, 2);
  EXPECT_CONTAINS(over.err, "the sink would overwrite log.txt");
  const ProgramRun run = replay({"broken.json", "--set", "Bad.sequence=1000", "--output", "rest.txt"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(folder_.read("rest.txt"), "line 10\nline 50\nline 90\n");
  EXPECT_EQ(folder_.read("log.txt"), log);
}

TEST_F(Replay, InTheProcessOfTheSourceItBeginsBehindTheSource) {
  const std::string more = R"(, "mode": "serial")";
  folder_.write("in.txt", numbered_lines(0, 100));
  folder_.write("broken.json", plan_of(kTwice + ", " + bad("Bad", 3, 0), more));
  ASSERT_EQ(coord({"run", "broken.json"}, options_).exit_code, 3);
  const ProgramRun run = replay({"broken.json", "--set", "Bad.sequence=1000", "--output", "rest.txt"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const auto copy = [](char n) { return "line 3" + std::string({n, '\0', '\0', '\0', '\n'}); };
  EXPECT_EQ(folder_.read("rest.txt"), copy(0) + copy(1));
}

TEST_F(Replay, WhatFailsAgainIsALetterAgain) {
  run_broken(bad("Bad", 0, 50));
  const ProgramRun run = replay({"broken.json", "--output", "rest.txt", "--remove"});
  EXPECT_EQ(run.exit_code, 3) << run.err;
  EXPECT_CONTAINS(run.err, "2 letters replayed from Bad on: 1 came out, 1 given up again");
  EXPECT_EQ(folder_.read("rest.txt"), "line 50\n");
  EXPECT_CONTAINS(coord({"dead-letters", "show", "3", "--bytes"}, options_).out, "line 0");
  EXPECT_EQ(coord({"dead-letters", "show", "1"}, options_).exit_code, 1);
}

/// Only letters that came out, or became letters again, may be removed.
TEST_F(Replay, WhatIsSkippedOrDroppedKeepsItsLetter) {
  run_broken(bad("Bad", 0, 50));
  const std::string skips = R"({"name": "Bad", "type": "test.crash", "on_error": "skip",
      "params": {"how": "throw", "sequence": 0, "every": 50, "attempts": 99}})";
  folder_.write("skips.json", plan_of(skips, ""));
  const std::string slow = R"({"name": "Bad", "type": "wait", "params": {"time": "50ms"}})";
  folder_.write("drops.json", plan_of(slow, R"(, "links": {"overflow": "drop_newest", "capacity": {"items": 1}})"));
  for (const char* plan : {"skips.json", "drops.json"}) {
    const ProgramRun run = replay({plan, "--output", "rest.txt", "--remove"});
    EXPECT_EQ(coord({"dead-letters", "show", "1"}, options_).exit_code, 0) << plan << run.err;
    EXPECT_EQ(coord({"dead-letters", "show", "2"}, options_).exit_code, 0) << plan << run.err;
  }
}

TEST_F(Replay, AReplayThatIsStoppedKeepsTheLetters) {
  run_broken(bad("Bad", 0, 1));
  const std::string slow = R"({"name": "Bad", "type": "wait", "params": {"time": "100ms"}})";
  folder_.write("slow_replay.json", plan_of(slow, R"(, "links": {"capacity": {"items": 1}})"));
  ProgramRun sut;
  std::jthread running([&] { sut = replay({"slow_replay.json", "--output", "rest.txt", "--remove"}); });
  ASSERT_TRUE(wait_until([&] { return !folder_.read("rest.txt").empty(); }));
  ASSERT_TRUE(wait_until([&] { return coord({"stop", "slow_replay"}).exit_code == 0; }));
  running.join();
  EXPECT_CONTAINS(sut.err, "all of them are kept");
  EXPECT_EQ(sut.err.find("100 letters replayed"), std::string::npos) << sut.err;
  EXPECT_EQ(coord({"dead-letters", "show", "1"}, options_).exit_code, 0);
}

TEST_F(Replay, TheReportIsNotInTheStreamOfTheSink) {
  run_broken(bad("Bad", 7, 0));
  folder_.write("mended.json", R"({"source": {"type": "lines", "params": {"path": "in.txt"}}, "stages": [
      {"name": "Bad", "type": "wait", "params": {"time": "0s"}}], "sink": {"type": "stdout"}})");
  const ProgramRun run = replay({"mended.json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "line 7\n");
  EXPECT_CONTAINS(run.err, "1 letter replayed");
}

/// A folder stands where the file of item 7 is to go.
TEST_F(Replay, LettersOfASinkGoToTheSinkAlone) {
  const std::string sink =
      R"("sink": {"type": "file_writer", "params": {"directory": "out", "pattern": "{sequence}"}}})";
  folder_.write("in.txt", numbered_lines(0, 10));
  for (const char* mode : {"parallel", "serial"}) {
    const bool serial = mode == std::string("serial");
    // The row ends in a parallel pipeline, so the sink has a segment to itself.
    const std::string stages =
        serial
            ? R"([{"name": "Child", "mode": "parallel", "stages": [{"name": "Once", "type": "test.repeat", "params": {"n": 1}}]}])"
            : R"([{"name": "Once", "type": "test.repeat", "params": {"n": 1}}])";
    folder_.write("plan.json", R"({"plugins": ["libpystream_testing.so"], "mode": ")" + std::string(mode) +
                                   R"(", "source": {"type": "lines", "params": {"path": "in.txt"}}, "stages": )" +
                                   stages + ", " + sink);
    std::filesystem::remove_all(folder_.path() / "out");
    std::filesystem::create_directories(folder_.path() / "out/7/in the way");
    ASSERT_EQ(coord({"run", "plan.json"}, options_).exit_code, 3) << mode;
    EXPECT_CONTAINS(list(), "file_writer: cannot rename");
    const ProgramRun run = replay({"plan.json", "--output", std::string("rest_") + mode + "/", "--remove"});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_CONTAINS(run.err, "1 letter replayed from Sink on: 1 came out, 0 given up again");
    EXPECT_EQ(folder_.read(std::string("rest_") + mode + "/0"), std::string("line 7\0\0\0\0", 10))
        << "as it came to the sink: the stage has added its copy's number once";
    EXPECT_EQ(list(), "no dead letters\n");
  }
}

TEST_F(Replay, NothingIsWrittenOverAndStagesAreNotMixed) {
  run_broken(bad("Bad", 3, 0) + ", " + bad("Worse", 5, 0));
  const ProgramRun same_place = replay({"broken.json", "1"});
  EXPECT_EQ(same_place.exit_code, 2);
  EXPECT_CONTAINS(same_place.err, "the sink would overwrite out.txt; name another output");
  const ProgramRun both = replay({"broken.json", "--output", "rest.txt"});
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_CONTAINS(both.err, "expected those of one stage; choose one with --stage");
  const ProgramRun one =
      replay({"broken.json", "--output", "rest.txt", "--stage", "Worse", "--set", "Worse.sequence=9"});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_EQ(folder_.read("rest.txt"), "line 5\n");
  const ProgramRun none = replay({"broken.json", "--output", "rest.txt", "--stage", "Other"});
  EXPECT_EQ(none.out, "no dead letters\n");
  folder_.write("other.json", plan_of(R"({"name": "Mix", "type": "test.mix"})", ""));
  const ProgramRun unknown = replay({"other.json", "1", "--output", "rest.txt"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_CONTAINS(unknown.err, "the plan has none of that name behind its source");
}

}  // namespace
}  // namespace pystream::test
