#include "coord/worker_commands.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>

#include "base/clock.hpp"
#include "coord/supervisor_support.hpp"
#include "setup/layout.hpp"

namespace pystream::coord {
namespace {

using namespace pystream::coord::test;
using namespace std::chrono_literals;

/// Worker 0 is the source, 1 the stage A, 2 the sink. None of them runs.
class WorkerCommandsTest : public SupervisorTest {
 protected:
  WorkerCommandsTest() {
    for (plan::WorkerId id = 0; id < topology_.workers.size(); ++id) {
      view_.workers[id].control->command.store(static_cast<std::uint32_t>(shm::Command::run));
    }
  }
  shm::Command command_of(plan::WorkerId id) const {
    return static_cast<shm::Command>(view_.workers[id].control->command.load());
  }

  shm::Segment segment_ = shm::Segment::create(setup::segment_spec(topology_, {}, {}));
  shm::SupervisorView view_ = segment_.map_supervisor();
  base::EventLoop loop_;
  ForkLauncher launcher_{[](plan::WorkerId, const base::UniqueFd&, const base::UniqueFd&) { return ::pause(); }};
  WorkerProcesses processes_{3, loop_, launcher_, {.exited = [](plan::WorkerId) {}, .line = {}}};
  WorkerCommands commands_{topology_, view_, *sut_, processes_, 2s};
};

TEST_F(WorkerCommandsTest, TellsNothingUnasked) {
  EXPECT_EQ(commands_.next_repeat(), std::nullopt);
  commands_.on_tick(now_);
  EXPECT_EQ(command_of(0), shm::Command::run);
}

TEST_F(WorkerCommandsTest, ADrainIsForSourcesAndSinks) {
  commands_.drain(now_);
  EXPECT_EQ(command_of(0), shm::Command::drain);
  EXPECT_EQ(command_of(kStage), shm::Command::run);
  EXPECT_EQ(command_of(2), shm::Command::drain);
}

TEST_F(WorkerCommandsTest, ADrainIsTheEndOfTheInputUnlessItIsCutShort) {
  const auto cut = [&](plan::WorkerId id) { return view_.workers[id].control->cut_short.load() != 0; };
  commands_.drain(now_);
  EXPECT_FALSE(cut(0) || cut(kStage) || cut(2));
  commands_.cut_short();
  EXPECT_TRUE(cut(0) && cut(kStage) && cut(2));
}

TEST_F(WorkerCommandsTest, ARepeatComesSoonAtFirstAndLaterEvery50Milliseconds) {
  commands_.drain(now_);
  std::vector<Time> periods;
  for (int i = 0; i < 7; ++i) {
    const auto next = commands_.next_repeat();
    ASSERT_TRUE(next);
    periods.push_back(*next - now_);
    now_ = *next;
    commands_.on_tick(now_);
  }
  EXPECT_EQ(periods, (std::vector<Time>{2ms, 4ms, 8ms, 16ms, 32ms, 50ms, 50ms}));
}

TEST_F(WorkerCommandsTest, AStopIsForThoseThatTheSupervisorNames) {
  start_all();
  sut_->on_exit(kStage, {.code = 1, .view = {.commits = 4, .failure = "no more"}}, now_);
  commands_.stop(now_);
  EXPECT_EQ(command_of(0), shm::Command::stop);
  EXPECT_EQ(command_of(kStage), shm::Command::run) << "it ends its output";
  EXPECT_EQ(command_of(2), shm::Command::run) << "it is behind the failure";
  EXPECT_EQ(view_.workers[2].control->cut_short.load(), 1U) << "and gets an end that is not the input's";
}

class WorkerCommandsKillTest : public WorkerCommandsTest {
 protected:
  void SetUp() override {
    start_all();
    processes_.start(kStage, {.segment = zero_.get(), .bell = bell_.get()});
    sut_->on_stop_request();
    commands_.stop(now_);
  }
  std::optional<base::ExitStatus> wait_for_exit() {
    std::optional<base::ExitStatus> status;
    while (!(status = processes_.try_reap(kStage))) {
      loop_.wait(Time(base::now_ns()) + 10ms);
    }
    return status;
  }

  const base::UniqueFd zero_{::open("/dev/zero", O_RDONLY | O_CLOEXEC)};
  const base::UniqueFd bell_{::eventfd(0, EFD_CLOEXEC)};
};

TEST_F(WorkerCommandsKillTest, AStoppedWorkerIsKilledAfterItsGraceTime) {
  commands_.on_tick(now_ + 2s);
  EXPECT_FALSE(processes_.try_reap(kStage)) << "its time is not over";
  commands_.on_tick(now_ + 2s + 60ms);
  EXPECT_EQ(wait_for_exit()->signal, SIGKILL);
}

TEST_F(WorkerCommandsKillTest, WithoutGraceItIsKilledAtOnce) {
  commands_.end_grace();
  commands_.on_tick(now_ + 60ms);
  EXPECT_EQ(wait_for_exit()->signal, SIGKILL);
}

}  // namespace
}  // namespace pystream::coord
