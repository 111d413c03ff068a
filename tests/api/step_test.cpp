#include <fstream>

#include "api/api_support.hpp"
#include "support/segment_of.hpp"
#include "support/tracee.hpp"
#include "support/visits.hpp"

/// A forked worker, which is a copy of this process, led on one instruction at a time and killed there with SIGKILL:
/// tests/system/step_test.cpp does the same with spawned ones. A sample, as large as the machine's speed
/// allows; with PYSTREAM_TEST_FULL=n every n-th instruction.
namespace pystream::test {
namespace {

constexpr std::uint64_t kEnough = 10'000'000;
constexpr std::uint64_t kBehindTheCommit = 600;  ///< instructions: wake-up, release, counters, the next look

/// One worker between this process's two links.
class ForkedStepTest : public ::testing::Test {
 protected:
  ForkedStepTest() {
    sut_.add([](int x) { return x + 1; }, "One").parallelize(kAllResults);
    view_ = segment_of(sut_.status().coordinator).map_supervisor();
  }

  const shm::WorkerPage& page() const { return *view_.workers[kWorker].page; }
  std::uint32_t incarnation() const { return view_.workers[kWorker].control->incarnation.load(); }
  /// Asleep in the kernel, without an item.
  pid_t idle_worker() {
    pid_t found = 0;
    EXPECT_TRUE(wait_until([&] {
      if (page().incarnation.load() != incarnation() + 1 ||
          page().phase.load() != static_cast<std::uint32_t>(shm::Phase::waiting)) {
        return false;
      }
      found = sut_.status().stages.front().pid;
      std::string call;
      std::ifstream("/proc/" + std::to_string(found) + "/syscall") >> call;
      return call == "202";
    }));
    return found;
  }
  /// One item, of which the worker does not live to see more than so many instructions. How many it saw until the
  /// commit, if it came so far.
  std::uint64_t step_item(std::uint64_t limit) {
    std::uint64_t steps = 0;
    {
      Tracee worker(idle_worker());
      EXPECT_TRUE(sut_.forward(item_));
      const std::uint64_t commits = page().commits.load();
      while (steps < limit && (limit != kEnough || page().commits.load() == commits) && worker.step()) {
        ++steps;
      }
    }
    EXPECT_EQ(sut_.get_results<int>(), item_ + 1) << "killed after " << steps << " instructions";
    ++item_;
    return steps;
  }

  static constexpr std::size_t kWorker = 1;
  Pipeline sut_;
  shm::SupervisorView view_;
  int item_ = 0;
};

TEST_F(ForkedStepTest, AKillAtAnyInstructionOfAnItemChangesNothing) {
  const std::uint64_t steps = step_item(kEnough) + kBehindTheCommit;
  ASSERT_LT(steps, kEnough);
  const char* full = std::getenv("PYSTREAM_TEST_FULL");
  const std::uint64_t stride = full != nullptr ? std::max(std::stoul(full), 1UL) : steps / 20 + 1;
  Visits kills(steps + 1, stride, Visits::Seconds(full != nullptr ? 1e9 : 30));
  for (std::uint64_t at = 0; at <= steps && !HasFailure(); ++at) {
    kills.at(at, [&] { step_item(at); });
  }
  idle_worker();
  EXPECT_EQ(incarnation(), static_cast<std::uint32_t>(item_)) << "each was killed once";
  EXPECT_EQ(sut_.status().links.back().items, 0U) << "nothing comes twice";
  kills.report("kills");
}

}  // namespace
}  // namespace pystream::test
