#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>
#include <tuple>

#include "support/left_processes.hpp"
#include "support/stage_driver.hpp"
#include "support/temp_folder.hpp"
#include "workers/exec_items.hpp"

namespace pystream::test {
namespace {

/// Answers every u32 frame with the frame reversed.
constexpr const char* kReverseScript =
    "import sys, struct\n"
    "i, o = sys.stdin.buffer, sys.stdout.buffer\n"
    "while True:\n"
    "    head = i.read(4)\n"
    "    if len(head) < 4: break\n"
    "    data = i.read(struct.unpack('<I', head)[0])\n"
    "    o.write(head + data[::-1]); o.flush()\n";

TEST(ExecTest, AnswersOneByOneInASerialPipeline) {
  auto sut = make_stage("exec", running({"cat"}));
  EXPECT_EQ(answers(*sut, "hello"), Texts{"hello"});
  EXPECT_EQ(answers(*sut, ""), Texts{""});
  EXPECT_EQ(answers(*sut, std::string(500'000, 'x')), Texts{std::string(500'000, 'x')});
  sut->cleanup();
}

TEST(ExecTest, ManyItemsInFlightKeepTheirOrder) {
  auto sut = make_stage("exec", running({"sed", "-u", "s/^/> /"}));
  Texts items;
  Texts expected;
  for (int i = 0; i < 5'000; ++i) {
    items.push_back(std::to_string(i));
    expected.push_back("> " + items.back());
  }
  EXPECT_EQ(stream(*sut, items), expected);
  sut->cleanup();
}

TEST(ExecTest, FullPipesBothWaysDoNotDeadlock) {
  auto sut = make_stage("exec", running({"cat"}, "u32"));
  Texts items;
  for (int i = 0; i < 40; ++i) {
    items.push_back(std::string(1'000'000 + static_cast<std::size_t>(i), static_cast<char>('a' + i % 26)));
  }
  EXPECT_TRUE(stream(*sut, items) == items);
  sut->cleanup();
}

TEST(ExecTest, U32FramesCarryAnyBytes) {
  auto sut = make_stage("exec", running({"python3", "-c", kReverseScript}, "u32"));
  EXPECT_EQ(stream(*sut, {"abc", "", "x\ny", std::string("\0\1", 2), std::string(200'000, 'q')}),
            (Texts{"cba", "", "y\nx", std::string("\1\0", 2), std::string(200'000, 'q')}));
  sut->cleanup();
}

TEST(ExecTest, FixedFramesHaveNothingAroundThem) {
  auto sut = make_stage("exec", running({"cat"}, ParamMap{{"fixed", 3}}));
  EXPECT_EQ(stream(*sut, {"abc", "d\ne"}), (Texts{"abc", "d\ne"}));
  const std::string message = message_of([&] { answers(*sut, "four"); });
  EXPECT_NE(message.find("item of 4 bytes, but \"framing\" is {\"fixed\": 3}"), message.npos) << message;
  sut->cleanup();
}

TEST(ExecTest, ProgramThatAnswersOnlyAtTheEndIsReadAfterFinish) {
  auto sut = make_stage("exec", running({"tr", "a-z", "A-Z"}));
  EXPECT_EQ(stream(*sut, {"one", "two"}), (Texts{"ONE", "TWO"}));
  sut->cleanup();
}

TEST(ExecTest, LineWithANewlineInsideIsThatItemsError) {
  auto sut = make_stage("exec", running({"cat"}));
  EXPECT_THROW(answers(*sut, "a\nb"), PayloadError);
  EXPECT_EQ(answers(*sut, "next"), Texts{"next"});
  sut->cleanup();
}

TEST(ExecTest, AnswerTooLargeForTheLinkIsThatItemsError) {
  auto sut = make_stage("exec", running({"cat"}));
  CollectingOutput small(3);
  EXPECT_THROW(feed(*sut, "too large", small), ItemTooLarge);
  EXPECT_EQ(answers(*sut, "next"), Texts{"next"});
  sut->cleanup();
}

TEST(ExecTest, CollectGivesUpAfterTheWait) {
  auto sut = make_stage("exec", running({"sleep", "60"}));
  AsyncStage& stage = *sut->taker()->async();
  CollectingOutput out;
  EXPECT_FALSE(stage.collect(out, seconds(10))) << "nothing is unanswered";
  submit(stage, "x");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(stage.collect(out, milliseconds(30)));
  const auto waited = std::chrono::steady_clock::now() - start;
  EXPECT_GE(waited, milliseconds(29));
  EXPECT_LT(waited, seconds(5));
}

TEST(ExecTest, DirectoryAndEnvironmentArePassedOn) {
  const TempFolder dir;
  ParamMap params = running({"sh", "-c", "while read x; do echo \"$x $PWD $GREETING $HOME\"; done"});
  params.emplace_back("cwd", dir.path());
  params.emplace_back("env", ParamMap{{"GREETING", "hello"}, {"HOME", "/elsewhere"}});
  auto sut = make_stage("exec", params);
  EXPECT_EQ(answers(*sut, "1"), Texts{"1 " + dir.path().string() + " hello /elsewhere"});
  sut->cleanup();
}

TEST(ExecTest, ProgramIgnoresTheTerminalsInterrupt) {
  auto sut = make_stage("exec", running({"sh", "-c", "while read x; do kill -INT $$; echo alive; done"}));
  EXPECT_EQ(answers(*sut, "1"), Texts{"alive"});
  sut->cleanup();
}

TEST(ExecTest, ProgramInheritsNoDescriptors) {
  auto sut = make_stage("exec", running({"sh", "-c", "while read x; do ls /proc/self/fd | wc -l; done"}));
  // 0, 1, 2 and the directory that ls reads.
  EXPECT_EQ(answers(*sut, "1"), Texts{"4"});
  sut->cleanup();
}

TEST(ExecTest, MissingProgramIsAnErrorAtTheStart) {
  const std::string message = message_of([] { make_stage("exec", running({"no-such-program-here"})); });
  EXPECT_NE(message.find("cannot run \"no-such-program-here\": No such file or directory"), message.npos) << message;
}

TEST(ExecTest, MissingDirectoryIsAnErrorAtTheStart) {
  ParamMap params = running({"cat"});
  params.emplace_back("cwd", "/nowhere");
  const std::string message = message_of([&] { make_stage("exec", params); });
  EXPECT_NE(message.find("cannot run in the directory /nowhere"), message.npos) << message;
}

TEST(ExecTest, BadParametersAreRefused) {
  EXPECT_THROW(make_stage("exec", running({})), InvalidParam);
  EXPECT_THROW(make_stage("exec", running({""})), InvalidParam);
  EXPECT_THROW(make_stage("exec", running({1})), InvalidParam);
  const std::vector<ParamValue> framings{"line",
                                         0,
                                         ParamMap{},
                                         ParamMap{{"fixed", 0}},
                                         ParamMap{{"fixed", "3"}},
                                         ParamMap{{"fixd", 3}},
                                         ParamMap{{"fixed", std::int64_t{1} << 40}}};
  for (const ParamValue& framing : framings) {
    EXPECT_THROW(make_stage("exec", running({"cat"}, framing)), InvalidParam);
  }
  EXPECT_THROW(make_stage("exec", running({"echo", std::string("a\0b", 3)})), InvalidParam);
  ParamMap bad_env = running({"cat"});
  bad_env.emplace_back("env", ParamMap{{"A=B", "x"}});
  EXPECT_THROW(make_stage("exec", bad_env), InvalidParam);
}

TEST(ExecTest, CleanupEndsAProgramThatIgnoresItsEnd) {
  auto sut = make_stage("exec", running({"sh", "-c", "trap '' TERM; while :; do sleep 1; done"}));
  ::testing::internal::CaptureStderr();
  const auto start = std::chrono::steady_clock::now();
  sut->cleanup();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(60));
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("did not end within 2 s"), std::string::npos);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

/// What became of some items: the message of a StageBroken, or "" if every item has its answer.
std::string fault_of(const ParamMap& params, const Texts& items) {
  try {
    auto sut = make_stage("exec", params);
    AsyncStage& stage = *sut->taker()->async();
    CollectingOutput out;
    for (const std::string& item : items) {
      submit(stage, item);
    }
    stage.finish();
    while (out.items().size() < items.size()) {
      std::ignore = stage.collect(out, seconds(1));
    }
    sut->cleanup();
  } catch (const StageBroken& fault) {
    return fault.what();
  }
  return {};
}

struct WrongCount {
  const char* name;
  ParamList command;
  ParamValue framing;
  const char* counts;
};

class ExecCountTest : public ::testing::TestWithParam<WrongCount> {};

TEST_P(ExecCountTest, AnswersThatDoNotMatchTheItemsBreakTheStage) {
  const auto& [name, command, framing, counts] = GetParam();
  const std::string fault = fault_of(running(command, framing), {"one", "two", "six", "ten"});
  EXPECT_NE(fault.find(counts), fault.npos) << "looked for: " << counts << "\nin: " << fault;
}

INSTANTIATE_TEST_SUITE_P(
    Programs, ExecCountTest,
    ::testing::Values(
        WrongCount{"Banner", {"sh", "-c", "read x; echo hi; echo $x; exec cat"}, "lines", "gave 5 answers to 4 items"},
        WrongCount{"TwoForOne", {"sed", "p"}, "lines", "gave 8 answers to 4 items"},
        WrongCount{"TwoForTheLast", {"sed", "$p"}, "lines", "gave 5 answers to 4 items"},
        WrongCount{"Farewell", {"sh", "-c", "cat; echo bye"}, "lines", "gave 5 answers to 4 items"},
        WrongCount{"FarewellWithoutNewline", {"sh", "-c", "cat; printf bye"}, "lines", "gave 5 answers to 4 items"},
        WrongCount{"NoneForOne", {"grep", "-v", "two"}, "lines", "gave 3 answers to 4 items"},
        WrongCount{"NoneForTheLast", {"sed", "$d"}, "lines", "gave 3 answers to 4 items"},
        WrongCount{"NoneAtAll", {"sh", "-c", "cat > /dev/null"}, "lines", "gave 0 answers to 4 items"},
        WrongCount{"AllInOne", {"awk", "-vORS=", "1"}, "lines", "gave 1 answer to 4 items"},
        WrongCount{"EndsEarly", {"sh", "-c", "head -n 2; sleep 0.1"}, "lines", "gave 2 answers to 4 items"},
        WrongCount{"FixedRest", {"sh", "-c", "cat; printf x"}, ParamMap{{"fixed", 3}}, "gave 5 answers to 4 items"},
        WrongCount{"U32TwoForOne", {"sh", "-c", "cat; printf '\\0\\0\\0\\0'"}, "u32", "gave 5 answers to 4 items"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ExecTest, EndlessAnswersAreNotKept) {
  const std::string fault = fault_of(running({"sh", "-c", "cat; yes"}), {"one", "two"});
  EXPECT_NE(fault.find("gave at least 1000002 answers to 2 items"), fault.npos) << fault;
}

TEST(ExecTest, AnAnswerBeforeTheFirstItemIsOneTooMany) {
  const TempFolder dir;
  auto sut = make_stage("exec", running({"sh", "-c", "echo ready; touch " + (dir / "said") + "; exec cat"}));
  while (!std::filesystem::exists(dir / "said")) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  const std::string fault = message_of([&] { submit(*sut->taker()->async(), "one"); });
  EXPECT_NE(fault.find("gave 1 answer to 0 items"), fault.npos) << fault;
}

TEST(ExecTest, MoreAnswersThanItemsBreakTheStageInASerialPipeline) {
  auto sut = make_stage("exec", running({"sed", "-u", "p"}));
  EXPECT_THROW(
      {
        for (int i = 0; i < 10'000; ++i) {
          answers(*sut, "x");
          std::this_thread::sleep_for(milliseconds(1));
        }
      },
      StageBroken);
}

TEST(ExecTest, TheEndOfTheOutputEndsTheLastAnswer) {
  const std::vector<ParamList> programs{
      {"awk", "NR > 1 {printf \"\\n\"} {printf \"%s\", $0}"},
      {"python3", "-c", "import sys; sys.stdout.write('\\n'.join(sys.stdin.read().split()))"},
      {"sh", "-c", "read a; read b; read c; echo one; echo two; printf three"}};
  for (const ParamList& program : programs) {
    auto sut = make_stage("exec", running(program));
    EXPECT_EQ(stream(*sut, {"one", "two", "three"}), (Texts{"one", "two", "three"}));
    sut->cleanup();
  }
}

/// With few items in flight, and one after another.
TEST(ExecTest, AProgramThatBuffersItsOutputAnswersAllTheSame) {
  for (const int in_flight : {1, 2, 7, 64}) {
    ParamMap params = running({"tr", "0-9", "a-j"});
    params.emplace_back("in_flight", in_flight);
    params.emplace_back("flush_after", 20'000'000);
    auto sut = make_stage("exec", params);
    Texts items;
    Texts expected;
    for (int i = 100; i < 130; ++i) {
      items.push_back(std::to_string(i));
      expected.push_back(items.back());
      for (char& letter : expected.back()) {
        letter = static_cast<char>(letter - '0' + 'a');
      }
    }
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(stream(*sut, items), expected) << in_flight;
    EXPECT_EQ(answers(*make_stage("exec", params), "12"), Texts{"bc"});
    sut->cleanup();
    EXPECT_NE(::testing::internal::GetCapturedStderr().find("does not answer; its input is ended"), std::string::npos);
  }
}

TEST(ExecTest, ASlowProgramIsNotStartedAgainForEachItem) {
  const TempFolder dir;
  ParamMap params =
      running({"sh", "-c", "echo >> " + (dir / "starts") + "; while read x; do sleep 0.5; echo $x; done"});
  params.emplace_back("flush_after", 1'000'000);
  auto sut = make_stage("exec", params);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(answers(*sut, std::to_string(i)), Texts{std::to_string(i)});
  }
  sut->cleanup();
  EXPECT_LE(read_file(dir / "starts").size(), 3U);
}

TEST(ExecTest, AProgramThatClosesItsInputMayGoOnAnswering) {
  auto sut =
      make_stage("exec", running({"sh", "-c", "read a; read b; exec <&-; echo $a; sleep 0.1; echo $b; sleep 0.1"}));
  EXPECT_EQ(stream(*sut, {"1", "2"}), (Texts{"1", "2"}));
  sut->cleanup();
}

TEST(ExecTest, AProgramThatHasReadAllMayCloseItsInputAndAnswerLate) {
  auto sut =
      make_stage("exec", running({"sh", "-c", "read a; read b; exec <&-; sleep 2.5; echo $a; sleep 2.5; echo $b"}));
  EXPECT_EQ(stream(*sut, {"1", "2"}), (Texts{"1", "2"}));
  sut->cleanup();
}

TEST(ExecTest, CleanupTellsOfABadEnd) {
  auto sut = make_stage("exec", running({"sh", "-c", "cat; exit 3"}));
  EXPECT_EQ(stream(*sut, {"1"}), Texts{"1"});
  ::testing::internal::CaptureStderr();
  sut->cleanup();
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("ended with exit code 3 after it had answered every item"),
            std::string::npos);
}

/// As cleanup() does of the last run.
TEST(ExecTest, TheBadEndOfARunInTheMiddleIsSaid) {
  ParamMap params = running({"sh", "-c", "lines=$(cat); echo \"$lines\"; exit 3"});
  params.emplace_back("flush_after", std::int64_t{50'000'000});
  auto sut = make_stage("exec", params);
  ::testing::internal::CaptureStderr();
  for (const char* item : {"1", "2"}) {
    EXPECT_EQ(answers(*sut, item), Texts{item});
  }
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("ended with exit code 3 after it had answered every item"),
            std::string::npos);
  sut->cleanup();
}

/// Only the death of its worker ends the program.
TEST(ExecTest, ASignalToTheKeeperEndsNothing) {
  auto sut = make_stage("exec", running({"sh", "-c", "while read x; do echo $PPID; done"}));
  const Texts keeper = answers(*sut, "1");
  ASSERT_EQ(keeper.size(), 1U);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(::kill(std::stoi(keeper.front()), SIGTERM), 0);
    EXPECT_EQ(answers(*sut, "1"), keeper);
  }
  sut->cleanup();
}

/// A background child still writes when the program itself has ended.
TEST(ExecTest, AnswersOfABackgroundChildAreWaitedFor) {
  auto sut = make_stage("exec", running({"bash", "-c", "exec cat > >(sleep 0.1; sed s/^/x/)"}));
  EXPECT_EQ(stream(*sut, {"1", "2"}), (Texts{"x1", "x2"}));
  sut->cleanup();
}

TEST(ExecTest, ProgramDiesWithTheWorker) {
  const TempFolder dir;
  const pid_t worker = ::fork();
  if (worker == 0) {
    auto stage =
        make_stage("exec", running({"sh", "-c", "echo $$ > " + (dir / "pid") + "; while read x; do echo $x; done"}));
    answers(*stage, "up");
    ::raise(SIGKILL);
  }
  ASSERT_EQ(::waitpid(worker, nullptr, 0), worker);
  const pid_t program = std::stoi(read_file(dir / "pid"));
  bool gone = false;
  for (int i = 0; i < 200 && !gone; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
    const std::string stat = read_file("/proc/" + std::to_string(program) + "/stat");
    gone = stat.empty() || stat.find(") Z ") != stat.npos;
  }
  EXPECT_TRUE(gone);
}

/// In its group, in a session of its own, with its parent and without.
std::string leaves_behind(const std::string& mark) {
  return "sleep " + mark + " & (setsid sleep " + mark + " &); setsid setsid sh -c 'sleep " + mark + " & sleep " + mark +
         "' > /dev/null 2>&1 & ";
}

/// True once there are at least `least` of them and at most `most`.
bool come_to(const std::string& mark, std::size_t least, std::size_t most) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(20);
  while (std::chrono::steady_clock::now() < deadline) {
    const std::size_t count = processes_with(mark);
    if (count >= least && count <= most) {
      return true;
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
  return false;
}
constexpr std::size_t kAll = 5;  ///< the program and four that sleep

/// However a stage ends, all that its program has started ends with it.
TEST(ExecTest, NothingOfAProgramIsLeftBehind) {
  for (const bool cleaned_up : {true, false}) {
    const std::string mark = unique_argument();
    auto sut = make_stage("exec", running({"sh", "-c", leaves_behind(mark) + "while read x; do echo $x; done"}));
    EXPECT_EQ(answers(*sut, "1"), Texts{"1"});
    EXPECT_TRUE(come_to(mark, kAll, 100));
    if (cleaned_up) {
      sut->cleanup();
    }
    sut.reset();
    EXPECT_EQ(processes_with(mark), 0U);
  }
}

TEST(ExecTest, NothingOfAProgramIsLeftBehindAKilledWorker) {
  const std::string mark = unique_argument();
  const TempFolder dir;
  const pid_t worker = ::fork();
  if (worker == 0) {
    auto stage = make_stage("exec", running({"sh", "-c", leaves_behind(mark) + "while read x; do echo $x; done"}));
    answers(*stage, "up");
    write_file(dir / "up", "");
    ::pause();
  }
  EXPECT_TRUE(come_to(mark, kAll, 100));
  ::kill(worker, SIGKILL);
  ASSERT_EQ(::waitpid(worker, nullptr, 0), worker);
  EXPECT_TRUE(come_to(mark, 0, 0));
}

// ---- wait ----

TEST(WaitTest, ForwardsAfterItsTime) {
  for (const bool busy : {false, true}) {
    auto sut = make_stage("wait", {{"time", 20'000'000}, {"busy", busy}});
    CollectingOutput out;
    const auto start = std::chrono::steady_clock::now();
    feed(*sut, "x", out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(20));
    ASSERT_EQ(out.items().size(), 1U);
    EXPECT_TRUE(out.items().front().forwarded);
  }
}

}  // namespace
}  // namespace pystream::test
