#include "coord/worker_processes.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "base/clock.hpp"

namespace pystream::coord {
namespace {

using Lines = std::vector<std::string>;

class WorkerProcessesTest : public ::testing::Test {
 protected:
  /// Starts worker 0 as a fork that runs `body`.
  void start(const std::function<int()>& body) {
    launcher_.emplace([body](plan::WorkerId, const base::UniqueFd&, const base::UniqueFd&) { return body(); });
    sut_.emplace(1, loop_, *launcher_,
                 WorkerProcesses::Callbacks{
                     .exited = [this](plan::WorkerId id) { status_ = sut_->try_reap(id); },
                     .line = [this](plan::WorkerId, const std::string& line) { lines_.push_back(line); }});
    sut_->start(0, {.segment = segment_.get(), .bell = bell_.get()});
  }
  bool wait_for_exit() {
    const std::chrono::nanoseconds deadline = std::chrono::nanoseconds(base::now_ns()) + std::chrono::seconds(60);
    while (!status_ && std::chrono::nanoseconds(base::now_ns()) < deadline) {
      loop_.wait(deadline);
    }
    return status_.has_value();
  }

  const base::UniqueFd segment_{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
  const base::UniqueFd bell_{::eventfd(0, EFD_CLOEXEC)};
  base::EventLoop loop_;
  std::optional<ForkLauncher> launcher_;
  std::optional<WorkerProcesses> sut_;
  std::optional<base::ExitStatus> status_;
  Lines lines_;
};

TEST_F(WorkerProcessesTest, GivesTheStatusAndAllLinesOfAWorkerThatHasEnded) {
  start([] {
    static constexpr std::string_view kText = "first\nlast, without a newline";
    return ::write(STDERR_FILENO, kText.data(), kText.size()) > 0 ? 3 : 4;
  });
  EXPECT_TRUE(sut_->runs(0));
  EXPECT_GT(sut_->pid_of(0), 0);
  ASSERT_TRUE(wait_for_exit());
  EXPECT_EQ(status_->code, 3);
  EXPECT_EQ(lines_, (Lines{"first", "last, without a newline"}));
  EXPECT_EQ(sut_->take_last_lines(0), lines_);
  EXPECT_FALSE(sut_->runs(0));
  EXPECT_EQ(sut_->pid_of(0), 0);
  EXPECT_FALSE(sut_->signal(0, SIGTERM));
}

TEST_F(WorkerProcessesTest, SignalsReachAWorker) {
  start([] { return ::pause(); });
  EXPECT_TRUE(sut_->signal(0, SIGKILL));
  ASSERT_TRUE(wait_for_exit());
  EXPECT_EQ(status_->signal, SIGKILL);
}

TEST_F(WorkerProcessesTest, LeavesNoProcessBehind) {
  start([] { return ::pause(); });
  const pid_t pid = sut_->pid_of(0);
  sut_.reset();
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

}  // namespace
}  // namespace pystream::coord
