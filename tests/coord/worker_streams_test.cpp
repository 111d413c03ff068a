#include "coord/worker_streams.hpp"

#include <gtest/gtest.h>

namespace pystream::coord {
namespace {

using Output = WorkerStreams::Output;

/// Which worker hosts the source, each stage and the sink.
std::vector<WorkerStreams> streams(const std::vector<plan::WorkerId>& hosts) {
  plan::Topology topology;
  topology.workers.resize(hosts.back() + 1);
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    plan::PlacedStage placed;
    placed.role = i == 0 ? plan::Role::source : i + 1 == hosts.size() ? plan::Role::sink : plan::Role::stage;
    placed.worker = hosts[i];
    topology.stages.push_back(placed);
  }
  return streams_of(topology);
}

TEST(WorkerStreamsTest, OnlyTheSourceReadsAndOnlyTheSinkWrites) {
  const auto sut = streams({0, 1, 2});
  EXPECT_TRUE(sut[0].input);
  EXPECT_FALSE(sut[1].input || sut[2].input);
  EXPECT_EQ(sut[0].output, Output::log);
  EXPECT_EQ(sut[1].output, Output::log);
  EXPECT_EQ(sut[2].output, Output::kept);
}

TEST(WorkerStreamsTest, ASinkThatSharesItsWorkerGetsTheOutputPassed) {
  EXPECT_EQ(streams({0, 1, 1})[1].output, Output::passed);
  const auto all_in_one = streams({0, 0, 0});
  EXPECT_TRUE(all_in_one[0].input);
  EXPECT_EQ(all_in_one[0].output, Output::passed);
}

}  // namespace
}  // namespace pystream::coord
