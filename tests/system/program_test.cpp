#include <sys/stat.h>

#include <filesystem>

#include "support/left_processes.hpp"
#include "support/pipeline_run.hpp"

/// Pipelines with programs of others as stages: answers that do not match the items, programs that buffer, and what is
/// left of a program's processes.
namespace pystream {
namespace {

using namespace pystream::test;
using namespace std::chrono_literals;

std::string lines_from(int first, int last) {
  std::string text;
  for (int i = first; i <= last; ++i) {
    text += std::to_string(i) + "\n";
  }
  return text;
}

/// What `tr 0-9 a-j` makes of it.
std::string in_letters(std::string text) {
  for (char& letter : text) {
    letter = static_cast<char>(letter == '\n' ? letter : letter - '0' + 'a');
  }
  return text;
}

std::string command(const std::string& words, const std::string& more = "", const std::string& policy = "") {
  return R"({"name": "Program", "type": "exec", "params": {"command": )" + words + more + "}" + policy + "}";
}

class ProgramTest : public ::testing::Test {
 protected:
  std::string plan(const std::string& stages, const std::string& output = "output") const {
    return R"({"plugins": ["libpystream_testing.so"], "profiler": {"enabled": false},
               "source": {"type": "lines", "params": {"path": ")" +
           (folder_ / "input") + R"("}}, "stages": [)" + stages + R"(],
               "sink": {"type": "file_writer", "params": {"path": ")" +
           (folder_ / output) + R"("}}})";
  }
  void give(const std::string& lines) const { folder_.write("input", lines); }
  std::string output() const { return read_file(folder_ / "output"); }
  bool has_output() const {
    std::error_code error;
    return std::filesystem::file_size(folder_ / "output", error) > 0 && !error;
  }

  TempFolder folder_;
};

/// The worker that runs a program; 0: none yet.
pid_t keeper_in(const PipelineRun& run) {
  for (const pid_t worker : run.workers()) {
    for (const pid_t child : children_of(worker)) {
      return child;
    }
  }
  return 0;
}

// ---- One answer for one item ----

struct WrongCount {
  const char* name;
  int items;
  const char* command;
  const char* counts;  ///< where the stage is a worker of its own
};

class ProgramCountTest : public ProgramTest, public ::testing::WithParamInterface<WrongCount> {};

TEST_P(ProgramCountTest, FailsTheRunAtOnceAndNamesBoth) {
  give(lines_from(1, GetParam().items));
  for (const bool serial : {false, true}) {
    const bool stalls = serial || GetParam().items > 500;
    const std::string stage = command(GetParam().command, stalls ? R"(, "flush_after": "300ms")" : "");
    PipelineRun run(plan(serial ? R"({"name": "Row", "mode": "serial", "stages": [)" + stage + "]}" : stage), folder_,
                    {"--quiet"});
    EXPECT_EQ(run.wait(), 1);
    const std::string errors = run.errors();
    EXPECT_NE(errors.find("failed: stage"), errors.npos) << errors;
    EXPECT_NE(errors.find("it must answer each item exactly once"), errors.npos) << errors;
    EXPECT_NE(errors.find(serial ? " to " : GetParam().counts), errors.npos) << errors;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Programs, ProgramCountTest,
    ::testing::Values(
        WrongCount{"SomeDropped", 100, R"(["grep", "--line-buffered", "-v", "5"])", "gave 81 answers to 100 items"},
        WrongCount{"MoreDroppedThanInFlight", 1000, R"(["grep", "--line-buffered", "-v", "5"])", " answers to "},
        WrongCount{"OneDropped", 500, R"(["grep", "--line-buffered", "-v", "^100$"])", "gave 499 answers to 500 items"},
        WrongCount{"LastDropped", 500, R"(["sed", "-u", "$d"])", "gave 499 answers to 500 items"},
        WrongCount{"Banner", 100, R"(["sh", "-c", "echo ready; exec cat"])", " to "},
        WrongCount{"OneTwice", 500, R"(["sed", "-u", "100p"])", " answers to "},
        WrongCount{"AllTwice", 100, R"(["sed", "-u", "p"])", " answers to "},
        WrongCount{"OnlyTheFirst", 500, R"(["head", "-n", "5"])", "gave 5 answers to "}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(ProgramTest, AProgramThatDropsEverythingLosesNothingSilently) {
  give(lines_from(1, 200));
  PipelineRun run(plan(command(R"(["grep", "-v", "."])")), folder_, {"--quiet"});
  EXPECT_NE(run.wait(), 0) << run.errors();
}

TEST_F(ProgramTest, AnAnswerTooLargeForTheLinkIsThatItemsError) {
  give(lines_from(1, 20));
  const std::string script =
      R"~(["python3", "-uc", "import sys\nfor l in sys.stdin: print('x' * 300000 if l == '7\\n' else l, end='\\n' if l == '7\\n' else '')"])~";
  std::string text = plan(command(script, "", R"(, "on_error": "skip")"));
  text.insert(text.find(R"("source")"), R"("links": {"capacity": {"bytes": 100000}}, )");
  PipelineRun run(text, folder_, {"--quiet"});
  run.wait();
  EXPECT_EQ(output(), lines_from(1, 6) + lines_from(8, 20)) << run.errors();
}

// ---- Programs that buffer their output ----

struct Kill {
  const char* name;
  int program;  ///< so often
  int worker;
};

class BufferingProgramTest : public ProgramTest, public ::testing::WithParamInterface<Kill> {};

TEST_P(BufferingProgramTest, GoesOnAfterAKill) {
  give(lines_from(1, 2000));
  PipelineRun run(plan(R"({"name": "Slowly", "type": "wait", "params": {"time": "500us"}}, )" +
                       command(R"(["tr", "0-9", "a-j"])", R"(, "flush_after": "50ms")")),
                  folder_, {"--quiet"});
  for (int i = 0; i < GetParam().program + GetParam().worker; ++i) {
    const std::size_t before = has_output() ? output().size() : 0;
    ASSERT_TRUE(wait_until([&] { return (has_output() && output().size() > before) || run.ended(); }, 60s)) << i;
    pid_t victim = 0;
    wait_until([&] {
      const pid_t keeper = keeper_in(run);
      const std::vector<pid_t> programs = keeper != 0 ? children_of(keeper) : std::vector<pid_t>{};
      victim = programs.empty() ? 0 : programs.front();
      if (i >= GetParam().program) {
        for (const pid_t worker : run.workers()) {
          victim = !children_of(worker).empty() ? worker : victim;
        }
      }
      return victim != 0 || run.ended();
    });
    if (victim != 0) {
      ::kill(victim, SIGKILL);
    }
  }
  EXPECT_EQ(run.wait(), 0) << run.errors();
  EXPECT_EQ(output(), in_letters(lines_from(1, 2000))) << run.errors();
}

INSTANTIATE_TEST_SUITE_P(Kills, BufferingProgramTest,
                         ::testing::Values(Kill{"None", 0, 0}, Kill{"Program", 1, 0}, Kill{"Worker", 0, 1},
                                           Kill{"ProgramAndWorkerOften", 3, 3}),
                         [](const auto& info) { return std::string(info.param.name); });

/// Items that fill the link in front before the program has as many as it may hold.
TEST_F(ProgramTest, AFullLinkInFrontDoesNotBlockABufferingProgram) {
  std::string lines;
  for (int i = 0; i < 30; ++i) {
    lines += std::string(100'000, static_cast<char>('0' + i % 10)) + "\n";
  }
  give(lines);
  PipelineRun run(plan(command(R"~(["python3", "-c", "import sys; sys.stdout.write(sys.stdin.read())"])~",
                               R"(, "flush_after": "50ms")")),
                  folder_, {"--quiet"});
  EXPECT_EQ(run.wait(), 0) << run.errors();
  EXPECT_TRUE(output() == lines);
}

TEST_F(ProgramTest, AnItemThatKillsABufferingProgramIsFound) {
  give(lines_from(1, 200));
  const std::string script =
      R"~(["python3", "-c", "import sys\nfor l in sys.stdin:\n  if l == '77\\n': sys.exit(3)\n  sys.stdout.write(l)"])~";
  PipelineRun run(plan(command(script, R"(, "flush_after": "50ms")", R"(, "on_crash": "skip")")), folder_, {"--quiet"});
  run.wait();
  EXPECT_EQ(output(), lines_from(1, 76) + lines_from(78, 200)) << run.errors();
}

TEST_F(ProgramTest, SigtermDrainsAProgramThatHoldsItsAnswersBack) {
  // Slowly: each time the program is asked for its answers it starts anew, and a slow machine has many items waiting.
  const std::string source = R"({"type": "generate", "params": {"period": "10ms", "size": 3}})";
  for (const bool killed_before : {false, true}) {
    std::string text = plan(command(R"(["cat"])", R"(, "framing": {"fixed": 3}, "flush_after": "100ms")"));
    text.replace(text.find(R"({"type": "lines")"), text.find(R"(, "stages")") - text.find(R"({"type": "lines")"),
                 source);
    text.replace(text.find(R"(["cat"])"), 7,
                 R"~(["python3", "-c", "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())"])~");
    PipelineRun run(text, folder_, {"--quiet", "--drain-timeout", "0s"});
    ASSERT_TRUE(wait_until([&] { return has_output(); }, 60s)) << run.errors();
    if (killed_before) {
      for (const pid_t worker : run.workers()) {
        if (!children_of(worker).empty()) {
          ::kill(worker, SIGKILL);
        }
      }
    }
    run.signal(SIGTERM);
    EXPECT_EQ(run.wait(), 0) << run.errors();
    EXPECT_EQ(output().size() % 3, 0U);
    std::filesystem::remove(folder_ / "output");
  }
}

// ---- What is left of a program ----

enum class End { drain, stop, timeout, failure, killed_worker, killed_coordinator };

class ProgramLeftoverTest : public ProgramTest, public ::testing::WithParamInterface<End> {};

TEST_P(ProgramLeftoverTest, NoProcessOutlivesTheRun) {
  const std::string mark = unique_argument();
  const bool hangs = GetParam() == End::timeout || GetParam() == End::stop;
  // In the background, in a session of its own without a parent, and in the foreground.
  const std::string script = "sleep " + mark + " & (setsid sleep " + mark + " > /dev/null 2>&1 &); " +
                             (hangs ? "while read -r x; do sleep " + mark + "; done" : "exec cat");
  const std::string policy = GetParam() == End::timeout   ? R"(, "timeout": "1s", "on_crash": "fail")"
                             : GetParam() == End::failure ? R"(, "on_crash": "fail")"
                                                          : "";
  const std::string words = "[\"sh\", \"-c\", \"" + script + "\"]";
  std::string text = plan(command(words, R"(, "framing": "lines")", policy));
  text.replace(text.find(R"({"type": "lines")"), text.find(R"(, "stages")") - text.find(R"({"type": "lines")"),
               R"({"type": "lines", "params": {"path": ")" + (folder_ / "fifo") + R"("}})");
  ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  PipelineRun run(text, folder_, {"--quiet"});
  const base::UniqueFd feed(::open((folder_ / "fifo").c_str(), O_WRONLY));
  ASSERT_EQ(::write(feed.get(), "1\n2\n", 4), 4);
  // A shell that hangs counts too, and so does the one in its loop; the other becomes cat.
  ASSERT_TRUE(wait_until([&] { return processes_with(mark, "sleep") >= (hangs ? 4U : 2U); }, 60s)) << run.errors();
  ASSERT_TRUE(wait_until([&] { return hangs || has_output(); }, 60s)) << run.errors();
  pid_t worker = 0;
  for (const pid_t pid : run.workers()) {
    worker = !children_of(pid).empty() ? pid : worker;
  }
  switch (GetParam()) {
    case End::drain:
      run.signal(SIGTERM);
      break;
    case End::stop:
      EXPECT_TRUE(wait_until([&] { return run.signal(SIGINT), run.ended(); }, 60s));
      break;
    case End::timeout:
      break;
    case End::killed_worker:
      ::kill(worker, SIGKILL);
      ASSERT_TRUE(wait_until([&] { return worker != 0 && children_of(worker).empty(); }));
      run.signal(SIGTERM);
      break;
    case End::failure:
      ::kill(worker, SIGABRT);
      break;
    case End::killed_coordinator:
      run.signal(SIGKILL);
      break;
  }
  run.wait();
  if (GetParam() == End::killed_coordinator) {
    EXPECT_TRUE(wait_until([&] { return processes_with(mark, "sleep") == 0; }, 20s));
  } else {
    EXPECT_EQ(processes_with(mark, "sleep"), 0U) << run.errors();
  }
  EXPECT_TRUE(wait_until(nothing_is_left, 20s));
}

INSTANTIATE_TEST_SUITE_P(Ends, ProgramLeftoverTest,
                         ::testing::Values(End::drain, End::stop, End::timeout, End::failure, End::killed_worker,
                                           End::killed_coordinator));

// ---- Lines or bytes ----

struct Kind {
  const char* name;
  const char* stages;
  bool lines;
};

class ItemKindTest : public ProgramTest, public ::testing::WithParamInterface<Kind> {};

TEST_P(ItemKindTest, DecidesAboutNewlinesWhateverTheFileIsCalled) {
  give("12\n34\n");
  for (const char* name : {"out.txt", "out.tsv", "out.csv", "out.bin", "out.jpg", "out"}) {
    PipelineRun run(plan(GetParam().stages, name), folder_, {"--quiet"});
    EXPECT_EQ(run.wait(), 0) << run.errors();
    EXPECT_EQ(read_file(folder_ / name), GetParam().lines ? "12\n34\n" : "1234") << name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Stages, ItemKindTest,
    ::testing::Values(
        Kind{"Lines", R"({"type": "exec", "params": {"command": ["cat"]}})", true},
        Kind{"PassedOn",
             R"({"type": "exec", "params": {"command": ["cat"]}}, {"type": "wait", "params": {"time": "0s"}})", true},
        Kind{"Sizes", R"({"type": "exec", "params": {"command": ["cat"], "framing": "u32"}},
                         {"type": "wait", "params": {"time": "0s"}})",
             false},
        Kind{"Fixed", R"({"type": "exec", "params": {"command": ["cat"], "framing": {"fixed": 2}}})", false},
        Kind{"LinesBehindSizes", R"({"type": "exec", "params": {"command": ["cat"], "framing": "u32"}},
                                    {"type": "exec", "params": {"command": ["cat"]}})",
             true},
        Kind{"InARow", R"({"mode": "serial", "stages": [{"type": "exec", "params": {"command": ["cat"]}},
                           {"mode": "parallel", "stages": [{"type": "wait", "params": {"time": "0s"}}]}]})",
             true},
        Kind{"SizesInARow", R"({"mode": "serial", "stages": [{"mode": "parallel", "stages": [
                                {"type": "exec", "params": {"command": ["cat"], "framing": "u32"}}]},
                                {"type": "wait", "params": {"time": "0s"}}]})",
             false}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace pystream
