#include "coord/fd_budget.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <pystream/error.hpp>

#include "base/open_fds.hpp"
#include "support/child.hpp"

namespace pystream::coord {
namespace {

/// A source, stages and a sink, a worker each; or all in one.
plan::Topology topology_of(int stages, bool together) {
  plan::Topology topology;
  for (int i = 0; i < stages + 2; ++i) {
    const plan::WorkerId worker = together ? 0 : static_cast<plan::WorkerId>(i);
    if (worker == topology.workers.size()) {
      topology.workers.emplace_back();
    }
    plan::PlacedStage placed;
    placed.role = i == 0 ? plan::Role::source : i == stages + 1 ? plan::Role::sink : plan::Role::stage;
    placed.worker = worker;
    topology.stages.push_back(placed);
  }
  return topology;
}

TEST(FdBudgetTest, ACoordinatorNeedsTwoForEachWorker) {
  const FdBudget one = fds_needed(topology_of(1, false), 3);
  const FdBudget many = fds_needed(topology_of(101, false), 3);
  EXPECT_EQ(many.coordinator, one.coordinator + 200);
  EXPECT_EQ(many.worker, one.worker);
  EXPECT_EQ(many.needed(), many.coordinator);
  EXPECT_EQ(fds_needed(topology_of(1, false), 13).coordinator, one.coordinator + 10);
}

TEST(FdBudgetTest, AWorkerOfManyStagesNeedsMore) {
  const FdBudget sut = fds_needed(topology_of(20, true), 3);
  EXPECT_GT(sut.worker, sut.coordinator);
  EXPECT_EQ(sut.needed(), sut.worker);
}

TEST(FdBudgetTest, ExternalWorkersAreNotStarted) {
  plan::Topology topology = topology_of(1, false);
  const std::uint64_t before = fds_needed(topology, 3).coordinator;
  topology.workers.front().external = true;
  EXPECT_EQ(fds_needed(topology, 3).coordinator, before - 2);
}

TEST(FdBudgetTest, ARefusalNamesBothNumbers) {
  test::Child child([] {
    const rlimit few{.rlim_cur = 50, .rlim_max = 50};
    ::setrlimit(RLIMIT_NOFILE, &few);
    const plan::Topology topology = topology_of(100, false);
    const std::string needed = std::to_string(fds_needed(topology, base::open_fds().size()).needed());
    try {
      require_fds(topology);
    } catch (const Error& error) {
      const std::string text = error.what();
      const bool both =
          text.find(" needs " + needed + " ") != std::string::npos && text.find(" 50;") != std::string::npos;
      ::_exit(both ? 0 : 2);
    }
    ::_exit(3);
  });
  const int status = child.wait();
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace pystream::coord
