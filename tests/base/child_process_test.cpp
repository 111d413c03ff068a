#include "base/child_process.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <system_error>

#include "base/clock.hpp"
#include "support/child.hpp"
#include "support/refused_syscall.hpp"

namespace pystream::base {
namespace {

using namespace std::chrono_literals;
using End = ChildResult::End;

ChildCommand shell(std::string script) {
  return {.arguments = {"sh", "-c", std::move(script)}};
}

TEST(ChildProcess, CollectsBothOutputsAndTheExitCode) {
  const ChildResult result = run_child(shell("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(result.end, End::exited);
  EXPECT_EQ(result.code, 3);
  EXPECT_FALSE(result.succeeded());
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_EQ(describe_end(result), "ended with exit code 3");
}

TEST(ChildProcess, GivesInputLargerThanAPipe) {
  ChildCommand command = shell("cat");
  command.input.assign(1 << 20, 'x');
  EXPECT_EQ(run_child(command).output, command.input);
}

TEST(ChildProcess, WithoutInputStandardInputIsAtItsEnd) {
  EXPECT_EQ(run_child(shell("wc -c")).output, "0\n");
}

TEST(ChildProcess, TellsTheSignal) {
  const ChildResult result = run_child(shell("kill -SEGV $$"));
  EXPECT_EQ(result.end, End::killed);
  EXPECT_EQ(result.code, SIGSEGV);
  EXPECT_EQ(describe_end(result), "was killed by signal 11 (Segmentation fault)");
}

/// With SIGCHLD ignored the kernel reaps at once, and the exit code is nowhere to be had.
TEST(ChildProcess, AnEndThatNobodySawIsNoSuccessByItself) {
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  const ChildResult quiet = run_child(shell("echo out; exit 3"));
  const ChildResult complains = run_child(shell("echo out; echo err >&2; exit 3"));
  std::signal(SIGCHLD, before);
  for (const ChildResult& result : {quiet, complains}) {
    EXPECT_EQ(result.end, End::unseen);
    EXPECT_FALSE(result.succeeded());
    EXPECT_EQ(result.output, "out\n");
    EXPECT_NE(describe_end(result).find("SIGCHLD"), std::string::npos);
  }
  EXPECT_TRUE(quiet.may_have_succeeded());
  EXPECT_FALSE(complains.may_have_succeeded());
}

/// Where it is reaped before it can be watched, its number is nobody's any more.
TEST(ChildProcess, OneThatWasReapedBeforeItIsWatchedHasEnded) {
  constexpr int kNoFilters = 77;
  test::Child sut([] {
    if (!test::refuse_syscall(SYS_pidfd_open, ESRCH)) {
      ::_exit(kNoFilters);
    }
    const ChildResult result = run_child(shell("exit 3"));
    ::_exit(result.end == End::unseen && result.may_have_succeeded() ? 0 : 2);
  });
  const int status = sut.wait();
  if (WIFEXITED(status) && WEXITSTATUS(status) == kNoFilters) {
    GTEST_SKIP() << "the kernel has no system call filters";
  }
  EXPECT_EQ(status, 0);
}

TEST(ChildProcess, KillsWhatTakesTooLong) {
  ChildCommand command = shell("echo before; exec sleep 600");
  command.deadline = 300ms;
  const std::int64_t start = now_ns();
  const ChildResult result = run_child(command);
  EXPECT_EQ(result.end, End::timed_out);
  EXPECT_EQ(result.output, "before\n");
  EXPECT_LT(now_ns() - start, 60'000'000'000);
}

TEST(ChildProcess, KillsWhatWritesTooMuch) {
  ChildCommand command = shell("exec yes");
  command.output_limit = 100'000;
  const ChildResult result = run_child(command);
  EXPECT_EQ(result.end, End::wrote_too_much);
  EXPECT_LE(result.output.size(), 100'001U);
}

TEST(ChildProcess, DropsErrorsBeyondTheLimitAndGoesOn) {
  ChildCommand command = shell("yes | head -c 1000000 >&2; echo done");
  command.errors_limit = 1000;
  const ChildResult result = run_child(command);
  EXPECT_TRUE(result.succeeded());
  EXPECT_EQ(result.errors.size(), 1000U);
  EXPECT_EQ(result.output, "done\n");
}

TEST(ChildProcess, DoesNotWaitForAGrandchildThatHoldsThePipe) {
  const std::int64_t start = now_ns();
  const ChildResult result = run_child(shell("sleep 20 & echo here"));
  EXPECT_TRUE(result.succeeded());
  EXPECT_EQ(result.output, "here\n");
  EXPECT_LT(now_ns() - start, 10'000'000'000);
}

TEST(ChildProcess, ThrowsIfTheProgramOrTheDirectoryIsNotThere) {
  EXPECT_THROW(run_child({.arguments = {"/no/such/program"}}), std::system_error);
  ChildCommand command = shell("true");
  command.directory = "/no/such/folder";
  EXPECT_THROW(run_child(command), std::system_error);
}

TEST(ChildProcess, ChangesTheEnvironmentAndTheDirectory) {
  ChildCommand command = shell("echo $A-$HOME; pwd");
  command.environment = {"A=1", "HOME"};
  command.directory = "/";
  EXPECT_EQ(run_child(command).output, "1-\n/\n");
}

TEST(ChildProcess, StartsWithDefaultSignals) {
  std::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(run_child(shell("kill -PIPE $$; echo alive")).code, SIGPIPE);
  std::signal(SIGPIPE, SIG_DFL);
}

}  // namespace
}  // namespace pystream::base
