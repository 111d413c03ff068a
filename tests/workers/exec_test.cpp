#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "support/stage_driver.hpp"
#include "support/temp_folder.hpp"

namespace pystream::test {
namespace {

using Texts = std::vector<std::string>;
using std::chrono::milliseconds;
using std::chrono::seconds;

ParamMap running(ParamList command, ParamValue framing = "lines") {
  return {{"command", std::move(command)}, {"framing", std::move(framing)}};
}

/// Answers every u32 frame with the frame reversed.
constexpr const char* kReverseScript =
    "import sys, struct\n"
    "i, o = sys.stdin.buffer, sys.stdout.buffer\n"
    "while True:\n"
    "    head = i.read(4)\n"
    "    if len(head) < 4: break\n"
    "    data = i.read(struct.unpack('<I', head)[0])\n"
    "    o.write(head + data[::-1]); o.flush()\n";

void submit(AsyncStage& stage, std::string_view bytes) {
  const Item::Tag tag{};
  stage.submit(Item(tag, std::as_bytes(std::span(bytes))));
}

/// Keeps up to capacity items in flight, as a worker does, and collects all answers.
Texts stream(Hosted& hosted, const Texts& items) {
  AsyncStage& stage = *hosted.async();
  CollectingOutput out;
  std::size_t in_flight = 0;
  for (const std::string& item : items) {
    while (in_flight + 1 > stage.capacity() - 1 && in_flight > 0) {
      in_flight -= stage.collect(out, seconds(1)) ? 1 : 0;
    }
    submit(stage, item);
    ++in_flight;
    while (in_flight > 0 && stage.collect(out, milliseconds(0))) {
      --in_flight;
    }
  }
  stage.finish();
  while (in_flight > 0) {
    in_flight -= stage.collect(out, seconds(1)) ? 1 : 0;
  }
  return out.texts();
}

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
  AsyncStage& stage = *sut->async();
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

TEST(ExecTest, CleanupTellsOfAnswersThatNobodyAskedFor) {
  auto sut = make_stage("exec", running({"sh", "-c", "while read x; do echo $x; done; echo bye"}));
  EXPECT_EQ(answers(*sut, "1"), Texts{"1"});
  ::testing::internal::CaptureStderr();
  sut->cleanup();
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("4 bytes more than one answer"), std::string::npos);
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

using ExecDeathTest = ::testing::Test;

TEST(ExecDeathTest, ProgramThatEndsCrashesTheStage) {
  EXPECT_EXIT(
      {
        auto sut = make_stage("exec", running({"/bin/false"}));
        answers(*sut, "x");
      },
      ::testing::KilledBySignal(SIGABRT), "exec: \"/bin/false\" .*exit code 1.*items unanswered: 1");
}

TEST(ExecDeathTest, ProgramKilledBetweenItemsCrashesTheStage) {
  EXPECT_EXIT(
      {
        auto sut = make_stage("exec", running({"sh", "-c", "read x; echo $x; kill -SEGV $$"}));
        answers(*sut, "1");
        std::this_thread::sleep_for(milliseconds(100));
        answers(*sut, "2");
      },
      ::testing::KilledBySignal(SIGABRT), "signal 11 .Segmentation fault.*items unanswered: 1");
}

TEST(ExecDeathTest, MoreAnswersThanItemsCrashTheStage) {
  EXPECT_EXIT(
      {
        auto sut = make_stage("exec", running({"sed", "-u", "p"}));
        for (int i = 0; i < 100; ++i) {
          answers(*sut, "x");
          std::this_thread::sleep_for(milliseconds(1));
        }
      },
      ::testing::KilledBySignal(SIGABRT), "more answers than it got items");
}

TEST(ExecDeathTest, AbsurdAnswerSizeCrashesTheStage) {
  EXPECT_EXIT(
      {
        auto sut = make_stage("exec", running({"sh", "-c", "printf '\\377\\377\\377\\377'; cat"}, "u32"));
        answers(*sut, "x");
      },
      ::testing::KilledBySignal(SIGABRT), "announces 4294967295 bytes");
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
