#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "coord/chaos_plan.hpp"
#include "coord/control_socket.hpp"
#include "plan/plan.hpp"
#include "support/child.hpp"
#include "support/link.hpp"
#include "system/fault_plan.hpp"

namespace pystream::test {
namespace {

plan::Node stage(const std::string& name) {
  plan::Node node;
  node.name = name;
  node.stage.emplace();
  return node;
}

/// Source, A, B, C, Sink.
class ChaosPlanTest : public testing::Test {
 protected:
  ChaosPlanTest() {
    plan_.root.name = "MainPipeline";
    plan_.source = stage("Source");
    plan_.sink = stage("Sink");
    plan_.root.children = {stage("A"), stage("B"), stage("C")};
    topology_ = plan::make_topology(plan_);
  }

  plan::Plan plan_;
  plan::Topology topology_;
  const std::vector<bool> everybody_ = std::vector<bool>(5, true);
};

TEST_F(ChaosPlanTest, TheSameSeedChoosesTheSame) {
  coord::ChaosPlan a(topology_, coord::ChaosMode::mixed, 42);
  coord::ChaosPlan b(topology_, coord::ChaosMode::mixed, 42);
  coord::ChaosPlan other(topology_, coord::ChaosMode::mixed, 43);
  bool differs = false;
  for (int i = 0; i < 200; ++i) {
    const coord::Strike strike = a.next(everybody_);
    const coord::Strike same = b.next(everybody_);
    EXPECT_EQ(strike.killed, same.killed);
    EXPECT_EQ(strike.stopped, same.stopped);
    differs |= strike.killed != other.next(everybody_).killed;
  }
  EXPECT_TRUE(differs);
}

TEST_F(ChaosPlanTest, PairsAreNeighbours) {
  coord::ChaosPlan chaos(topology_, coord::ChaosMode::pairs, 1);
  for (int i = 0; i < 100; ++i) {
    const coord::Strike strike = chaos.next(everybody_);
    ASSERT_EQ(strike.killed.size(), 2U);
    EXPECT_EQ(strike.killed[1], strike.killed[0] + 1);
  }
}

TEST_F(ChaosPlanTest, OnlyThoseAreHitThatMayBe) {
  const std::vector<bool> some{false, true, false, true, true};
  for (const auto mode : {coord::ChaosMode::single, coord::ChaosMode::pairs, coord::ChaosMode::all,
                          coord::ChaosMode::stop, coord::ChaosMode::mixed}) {
    coord::ChaosPlan chaos(topology_, mode, 7);
    for (int i = 0; i < 200; ++i) {
      const coord::Strike strike = chaos.next(some);
      EXPECT_TRUE(std::ranges::all_of(strike.killed, [&](auto id) { return some[id]; }));
      EXPECT_TRUE(std::ranges::all_of(strike.stopped, [&](auto id) { return some[id]; }));
    }
    EXPECT_TRUE(chaos.next(std::vector<bool>(5, false)).killed.empty());
  }
}

const std::string kStages = R"({"name": "Mix", "type": "test.mix"}, {"name": "Count", "type": "test.count"},
  {"name": "Row", "mode": "serial", "stages": [
    {"name": "Child", "mode": "parallel", "stages": [{"name": "Twice", "type": "test.repeat"}]},
    {"name": "Some", "type": "test.filter", "params": {"n": 3}}]})";

std::string endless(const std::string& more) {
  return R"({"plugins": ["libpystream_testing.so"], "source": {"type": "generate", "params": {"size": 100}},
             "stages": [)" +
         kStages + R"(], "sink": {"type": "file_writer", "params": {"path": "out.bin"}})" + more + "}";
}

class ChaosRun : public testing::TestWithParam<const char*> {};

TEST_P(ChaosRun, NothingIsLostAndTheOutputIsTheSame) {
  const TempFolder folder;
  folder.write("plan.json", endless(kNoProfile));
  const ProgramRun run = coord({"chaos", "plan.json", "--kills", "25", "--seed", "5", "--mode", GetParam(),
                                "--interval", "5ms", "--items", "100000", "--verify"},
                               {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_CONTAINS(run.out, "seed 5\n");
  EXPECT_CONTAINS(run.out, "0 lost, 0 doubled, 0 out of order");
  EXPECT_CONTAINS(run.out, "the same bytes as undisturbed");
  EXPECT_CONTAINS(run.out, "verdict   clean");
}

INSTANTIATE_TEST_SUITE_P(Modes, ChaosRun, testing::Values("single", "pairs", "all", "stop", "mixed"));

TEST(Chaos, AnEndlessSourceIsDrainedAfterTheLastKill) {
  const TempFolder folder;
  folder.write("plan.json", endless(""));
  const ProgramRun run =
      coord({"chaos", "plan.json", "--kills", "20", "--seed", "6"},
            {.environment = {"PYSTREAM_PROFILES=" + folder / "profiles"}, .directory = folder.path()});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_CONTAINS(run.out, "verdict   clean");
}

TEST(Chaos, DroppedItemsAreNotClean) {
  const TempFolder folder;
  folder.write("plan.json",
               endless(kNoProfile + R"(, "links": {"overflow": "drop_newest", "capacity": {"items": 2}})"));
  const ProgramRun run = coord({"chaos", "plan.json", "--kills", "5", "--seed", "7"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
  EXPECT_CONTAINS(run.out, "dropped by full links");
  EXPECT_CONTAINS(run.out, "verdict   not clean");
}

/// The kills come so quickly that nobody has finished its start when the last of them comes.
TEST(Chaos, ItIsOverOnceThePipelineGoesOnAfterTheLastKill) {
  const TempFolder folder;
  folder.write("plan.json", endless(kNoProfile));
  const ProgramRun run =
      coord({"chaos", "plan.json", "--kills", "3", "--seed", "7", "--interval", "100us"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(run.out.find("items     0 in"), std::string::npos) << run.out;
}

TEST(Chaos, ASourceThatEndsTooSoonIsTold) {
  const TempFolder folder;
  folder.write("in.txt", numbered_lines(0, 5));
  folder.write("plan.json", plan_of(R"({"name": "Mix", "type": "test.mix"})", kNoProfile));
  const ProgramRun run =
      coord({"chaos", "plan.json", "--kills", "5", "--seed", "7", "--interval", "60s"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
  EXPECT_CONTAINS(run.out, "the source ended too soon: after 0 of 5 kills");
}

/// What a plan's own runs have left.
class ChaosPlace : public testing::Test {
 protected:
  ChaosPlace() {
    folder_.write("in.txt", numbered_lines(0, 20000));
    folder_.write("out.txt", "of the last run");
    std::filesystem::create_directories(folder_ / "out");
    std::filesystem::create_directories(folder_ / "tmp");
    folder_.write("out/000000.txt", "of the last run");
  }
  ProgramRun chaos(const std::string& sink, std::vector<std::string> more, const std::string& kills = "3") {
    folder_.write("plan.json",
                  R"({"plugins": ["libpystream_testing.so"], "source": {"type": "lines", "params": {"path": "in.txt"}},
                      "stages": [{"name": "Mix", "type": "test.mix"}], "sink": )" +
                      sink + "}");
    more.insert(more.begin(), {"chaos", "plan.json", "--kills", kills, "--seed", "1"});
    return coord(more, options_);
  }
  void expect_untouched() const {
    EXPECT_EQ(folder_.read("out.txt"), "of the last run");
    EXPECT_EQ(folder_.read("out/000000.txt"), "of the last run");
    const std::filesystem::directory_iterator files(folder_ / "out");
    EXPECT_EQ(std::distance(begin(files), end(files)), 1);
  }

  const TempFolder folder_;
  const RunOptions options_{.environment = {"PYSTREAM_PROFILES=" + folder_ / "profiles", "TMPDIR=" + folder_ / "tmp"},
                            .directory = folder_.path()};
};

/// Tells the pipeline that works below that folder to end, as `pystream-coord stop` does; false if there is none yet.
bool stop_one_run_on(const std::string& folder) {
  for (const pid_t pid : coord::running_coordinators()) {
    std::error_code gone;
    const std::filesystem::directory_iterator descriptors("/proc/" + std::to_string(pid) + "/fd", gone);
    const bool ours = !gone && std::any_of(begin(descriptors), end(descriptors), [&](const auto& entry) {
      std::error_code closed;
      return std::filesystem::read_symlink(entry.path(), closed).string().starts_with(folder);
    });
    if (ours && coord::ask_coordinator(pid, "drain")) {
      return true;
    }
  }
  return false;
}

const std::string kFile = R"({"type": "file_writer", "params": {"path": "out.txt"}})";
const std::string kFolder = R"({"type": "file_writer", "params": {"directory": "out"}})";
const std::string kStdout = R"({"type": "stdout"})";

TEST_F(ChaosPlace, TheOutputOfThePlanStaysAsItIs) {
  for (const std::string& sink : {kFile, kFolder, kStdout, std::string(R"({"type": "discard"})")}) {
    const ProgramRun run = chaos(sink, {});
    EXPECT_EQ(run.exit_code, 0) << sink << run.out << run.err;
    EXPECT_CONTAINS(run.out, "kills     3 and");
    EXPECT_EQ(run.out.find("line 1"), std::string::npos) << "nor does it write to standard output";
    expect_untouched();
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "profiles")) << "nor is its profile among the user's";
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "tmp"));
}

TEST_F(ChaosPlace, OutputsAreComparedThere) {
  for (const std::string& sink : {kFile, kFolder, kStdout}) {
    const ProgramRun run = chaos(sink, {"--verify", "--items", "2000"});
    EXPECT_EQ(run.exit_code, 0) << sink << run.out << run.err;
    EXPECT_CONTAINS(run.out, "the same bytes as undisturbed");
    expect_untouched();
  }
}

TEST_F(ChaosPlace, SinksOfBranchesWriteAndAreComparedThereToo) {
  folder_.write("plan.json",
                R"({"plugins": ["libpystream_testing.so"], "source": {"type": "lines", "params": {"path": "in.txt"}},
                    "stages": [{"name": "T", "mode": "branch", "join": "none", "stages": [
                      {"name": "P", "mode": "parallel", "stages": [{"name": "Mix", "type": "test.mix"}, {"name": "S", )" +
                    kFile.substr(1) + R"(]}]}], "sink": )" + kFolder + "}");
  const ProgramRun run =
      coord({"chaos", "plan.json", "--kills", "3", "--seed", "1", "--verify", "--keep", "kept"}, options_);
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  expect_untouched();
  const std::string aside = folder_.read("kept/output/branch_T/branch_P/branch_S/out.txt");
  EXPECT_EQ(aside.size(), folder_.read("in.txt").size());
  EXPECT_EQ(folder_.read("kept/undisturbed/branch_T/branch_P/branch_S/out.txt"), aside);
}

TEST_F(ChaosPlace, ItCanBeKeptAndTheOutputDelivered) {
  const ProgramRun run = chaos(kFile, {"--verify", "--keep", "kept", "--output", "delivered.txt"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  expect_untouched();
  const std::string whole = folder_.read("delivered.txt");
  EXPECT_EQ(whole.size(), folder_.read("in.txt").size()) << "all of it";
  EXPECT_EQ(folder_.read("kept/output/delivered.txt"), whole);
  EXPECT_EQ(folder_.read("kept/undisturbed/delivered.txt"), whole);
  EXPECT_TRUE(std::filesystem::exists(folder_ / "kept/profiles/last_profiles.sqlite"));
  const ProgramRun again = chaos(kFile, {"--keep", "kept"});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_CONTAINS(again.err, "--keep: kept exists already");
}

TEST_F(ChaosPlace, ASinkThatCannotWriteElsewhereIsRefused) {
  const ProgramRun run = chaos(R"({"type": "test.elsewhere"})", {});
  EXPECT_EQ(run.exit_code, 2) << run.out;
  EXPECT_CONTAINS(run.err,
                  "the sink \"test.elsewhere\" cannot write there: it has neither a parameter "
                  "\"path\" nor \"directory\"");
}

TEST_F(ChaosPlace, StandardInputIsReadOnlyOnce) {
  const ProgramRun twice = chaos(kFile, {"--verify", "--input", "-"});
  EXPECT_EQ(twice.exit_code, 2);
  EXPECT_CONTAINS(twice.err, "standard input can be read only once");
  const ProgramRun once = chaos(kFile, {"--input", "-"}, "1000");
  EXPECT_EQ(once.exit_code, 1) << once.out;
  EXPECT_CONTAINS(once.out, "of 1000 kills; standard input can be read only once: name a file with --input");
}

/// What was read ahead from a pipe dies with the source, which says so.
TEST_F(ChaosPlace, LossesThatASourceReportsAreNotClean) {
  folder_.write("plan.json", R"({"source": {"type": "lines", "params": {"path": "-"}},
      "stages": [{"type": "wait", "params": {"time": "1ms"}}],
      "links": {"capacity": {"bytes": "4KiB"}}, "sink": )" +
                                 kFile + "}");
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  const std::string yes = "yes " + std::string(200, 'y');  // few lines are read ahead at once
  for (const std::string& line : {yes + " | ", "{ " + yes + " > fifo; } 2>&- & exec "}) {
    const std::string input = line.ends_with("| ") ? "" : " --input fifo";
    ProgramRun run;
    // A source that is killed before it has read anything loses nothing, so a slow machine needs more time between
    // kills.
    for (const char* interval : {"10ms", "300ms", "3s"}) {
      run = run_program({"sh", "-c",
                         line + PYSTREAM_TEST_COORD " chaos plan.json --mode all --kills 12 --seed 1" + input +
                             " --interval " + interval},
                        options_);
      if (run.exit_code != 0) {
        break;
      }
    }
    EXPECT_EQ(run.exit_code, 1) << run.out << run.err;
    EXPECT_EQ(run.out.find("too soon"), std::string::npos) << "the writer goes on: " << run.out;
    EXPECT_CONTAINS(run.out, "losses ");
    EXPECT_CONTAINS(run.out, "of data outside, reported by sources and sinks");
    EXPECT_CONTAINS(run.out, "verdict   not clean");
  }
  const ProgramRun twice = coord({"chaos", "plan.json", "--input", "fifo", "--verify"}, options_);
  EXPECT_EQ(twice.exit_code, 2);
  EXPECT_CONTAINS(twice.err, "fifo can be read only once");
}

TEST_F(ChaosPlace, ARefusalLeavesNoEmptyOutput) {
  EXPECT_EQ(chaos(kFile, {"--verify", "--input", "-", "--output", "new.txt"}).exit_code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "new.txt"));
}

TEST_F(ChaosPlace, WhatIsDeliveredDestroysNeitherInputNorPlan) {
  for (const char* name : {"in.txt", "./in.txt", "plan.json"}) {
    const ProgramRun run = chaos(kFile, {"--output", name});
    EXPECT_EQ(run.exit_code, 2) << run.out << run.err;
    EXPECT_CONTAINS(run.err, name == std::string("plan.json") ? "plan.json" : "would be overwritten");
  }
  EXPECT_EQ(folder_.read("in.txt"), numbered_lines(0, 20000));
  EXPECT_CONTAINS(folder_.read("plan.json"), "test.mix");
}

TEST_F(ChaosPlace, TheReportHasStandardOutputToItself) {
  const ProgramRun run = chaos(kFile, {"--output", "-"});
  EXPECT_EQ(run.exit_code, 2) << run.out;
  EXPECT_CONTAINS(run.err, "--output: standard output takes the report");
}

/// The report waits for its reader, but not for ever: a signal ends that. The place of the runs is gone by then.
TEST_F(ChaosPlace, AReportThatNobodyReadsCanBeEnded) {
  folder_.write("plan.json", endless(kNoProfile));
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const int room = ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
  ASSERT_GT(room, 16);
  const std::string filling(static_cast<std::size_t>(room) - 16, '.');  // the seed fits, the report does not
  ASSERT_EQ(::write(ends[1], filling.data(), filling.size()), static_cast<ssize_t>(filling.size()));
  Child sut([&] {
    ::dup2(ends[1], STDOUT_FILENO);
    ::setenv("TMPDIR", (folder_ / "tmp").c_str(), 1);
    if (::chdir(folder_.path().c_str()) == 0) {
      ::execl(PYSTREAM_TEST_COORD, PYSTREAM_TEST_COORD, "chaos", "plan.json", "--kills", "3", "--seed", "1", nullptr);
    }
  });
  const auto has_begun = [&] {  // from the seed on it holds signals back
    int bytes = 0;
    return ::ioctl(ends[0], FIONREAD, &bytes) == 0 && static_cast<std::size_t>(bytes) > filling.size();
  };
  EXPECT_TRUE(wait_until(has_begun));
  EXPECT_TRUE(wait_until([&] {  // the first ones end the run, and one the report
    sut.signal(SIGTERM);
    return sut.ended();
  }));
  EXPECT_TRUE(WIFSIGNALED(sut.status()) && WTERMSIG(sut.status()) == SIGTERM) << sut.status();
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "tmp"));
  ::close(ends[0]);
  ::close(ends[1]);
}

/// If the reference run is stopped early, its output is incomplete and no comparison is valid.
TEST_F(ChaosPlace, AnUndisturbedRunThatIsStoppedIsNoMeasure) {
  folder_.write("plan.json", endless(kNoProfile));
  ProgramRun sut;
  std::jthread chaos([&] { sut = coord({"chaos", "plan.json", "--kills", "3", "--verify"}, options_); });
  ASSERT_TRUE(wait_until([&] { return stop_one_run_on(folder_ / "tmp"); }));
  chaos.join();
  EXPECT_EQ(sut.exit_code, 1) << sut.out;
  EXPECT_CONTAINS(sut.err, "the undisturbed run was told to end");
}

/// Each run is over long before the usual first strike.
TEST_F(ChaosPlace, ShortRunsAreRepeatedUntilAllKillsAreDone) {
  folder_.write("in.txt", numbered_lines(0, 500));
  const ProgramRun run = chaos(kFile, {"--verify"});
  EXPECT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_CONTAINS(run.out, "kills     3 and");
}

}  // namespace
}  // namespace pystream::test
