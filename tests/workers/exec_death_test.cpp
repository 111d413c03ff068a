#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "workers/exec_items.hpp"

/// Programs behind exec with which the stage crashes.
namespace pystream::test {
namespace {

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

/// Half an answer is none if the program was killed while it wrote.
TEST(ExecDeathTest, AnUnfinishedAnswerOfAProgramThatDiesIsNoAnswer) {
  EXPECT_EXIT(
      {
        auto sut = make_stage("exec", running({"sh", "-c", "read x; printf 'half an an'; kill -9 $$"}));
        answers(*sut, "x");
      },
      ::testing::KilledBySignal(SIGABRT), "signal 9 .Killed.* after 0 answers to 1 items");
}

/// The program kills the process that would tell of its end, and dies with it.
TEST(ExecDeathTest, AnUnfinishedAnswerOfAProgramWhoseEndNobodySawIsNoAnswer) {
  EXPECT_EXIT(
      {
        ::alarm(30);
        auto sut =
            make_stage("exec", running({"sh", "-c", "read x; printf 'half an an'; kill -9 $PPID; exec sleep 100"}));
        answers(*sut, "x");
      },
      ::testing::KilledBySignal(SIGABRT), "signal 9 .Killed.* after 0 answers to 1 items");
}

TEST(ExecDeathTest, AClosedInputWithoutFurtherAnswersCrashesTheStage) {
  EXPECT_EXIT(
      {
        auto sut = make_stage("exec", running({"sh", "-c", "exec <&-; sleep 100"}));
        std::this_thread::sleep_for(milliseconds(100));
        answers(*sut, "x");
      },
      ::testing::KilledBySignal(SIGABRT), "closed its standard input");
}

/// Whether or not something is left to write when it does so, and whether or not further items come.
TEST(ExecDeathTest, AnInputThatIsClosedWithItemsUnreadCrashesTheStage) {
  struct Case {
    const char* script;
    Texts items;
  };
  const Texts few{"1", "2", "3"};
  const std::vector<Case> cases{
      {"sleep 0.2; exec <&-; sleep 100", {"1"}},
      {"sleep 0.2; exec <&-; sleep 100", few},
      {"read a; echo $a; exec <&-; sleep 100", few},
      {"read a; sleep 0.2; echo $a; exec <&-; sleep 100", Texts(63, std::string(500, 'x'))},
      {"exec <&-; sleep 100", Texts(63, std::string(20'000, 'x'))},
      {"sleep 0.2; exec <&-; sleep 100", Texts(63, std::string(20'000, 'x'))},
  };
  for (const Case& one : cases) {
    EXPECT_EXIT(
        {
          ::alarm(30);
          auto sut = make_stage("exec", running({"sh", "-c", one.script}));
          stream(*sut, one.items);
        },
        ::testing::KilledBySignal(SIGABRT), "closed its standard input")
        << one.script << " " << one.items.size();
  }
}

TEST(ExecDeathTest, AnInputThatIsClosedBeforeTheEndOfTheItemsCrashesTheStage) {
  EXPECT_EXIT(
      {
        ::alarm(30);
        auto sut = make_stage("exec", running({"sh", "-c", "sleep 0.2; exec <&-; sleep 100"}));
        submit(*sut->taker()->async(), "x");
        CollectingOutput out;
        while (!sut->taker()->async()->collect(out, milliseconds(100))) {
        }
      },
      ::testing::KilledBySignal(SIGABRT), "closed its standard input");
}

TEST(ExecDeathTest, AbsurdAnswerSizeCrashesTheStage) {
  EXPECT_EXIT(
      {
        auto sut = make_stage("exec",
                              running({"sh", "-c", "head -c 5 >/dev/null; printf '\\377\\377\\377\\377'; cat"}, "u32"));
        answers(*sut, "x");
      },
      ::testing::KilledBySignal(SIGABRT), "announces 4294967295 bytes");
}

}  // namespace
}  // namespace pystream::test
