#include "profile/replica_advice.hpp"

#include <gtest/gtest.h>

namespace pystream::profile {
namespace {

KeySummary stage(const std::string& key, double busy_s, const std::string& role = "stage") {
  return {.key = key, .role = role, .worker = key, .items = 100, .busy_s = busy_s};
}

std::vector<KeySummary> keys(double source_s, double slow_s) {
  std::vector<KeySummary> all{stage("MainPipeline__Source", source_s, "source"), stage("MainPipeline__Slow", slow_s),
                              stage("MainPipeline__Sink", 0.01, "sink")};
  all[1].bottleneck = true;
  return all;
}

TEST(ReplicaAdviceTest, SoManyThatAnotherWorkerSetsThePace) {
  const auto sut = advise_replicas(keys(1, 2.5), 16);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->name, "MainPipeline__Slow");
  EXPECT_EQ(sut->replicas, 3U);
  EXPECT_DOUBLE_EQ(sut->gain, 2.5);
}

TEST(ReplicaAdviceTest, NoMoreThanCores) {
  const auto sut = advise_replicas(keys(0.1, 10), 4);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->replicas, 4U);
  EXPECT_DOUBLE_EQ(sut->gain, 4);
}

TEST(ReplicaAdviceTest, NoneWhereTheyGainLittle) {
  EXPECT_FALSE(advise_replicas(keys(1, 1.1), 16));
  EXPECT_FALSE(advise_replicas(keys(1, 2), 1)) << "there is no core for it";
}

TEST(ReplicaAdviceTest, NoneOfASourceOrASink) {
  std::vector<KeySummary> all = keys(10, 1);
  all[0].bottleneck = true;
  all[1].bottleneck = false;
  EXPECT_FALSE(advise_replicas(all, 16));
  all[0].bottleneck = false;
  EXPECT_FALSE(advise_replicas(all, 16)) << "nothing limits";
}

TEST(ReplicaAdviceTest, RecommendsSoManyThatAnotherWorkerSetsThePace) {
  const std::vector<Workload> all{{.name = "MainPipeline__Source", .service_s = 1},
                                  {.name = "MainPipeline__Slow", .service_s = 3.5},
                                  {.name = "MainPipeline__P__A", .service_s = 2.5},
                                  {.name = "MainPipeline__P__B", .service_s = 0.1}};
  const std::vector<std::string> slow{"MainPipeline__Slow"};
  EXPECT_EQ(recommended_replicas(all, slow[0], slow, 16), 2U) << "P__A takes 2.5";
  const std::vector<std::string> both{"MainPipeline__Slow", "MainPipeline__P"};
  EXPECT_EQ(recommended_replicas(all, both[0], both, 16), 4U);
  EXPECT_EQ(recommended_replicas(all, both[1], both, 16), 3U) << "by its slowest stage";
  EXPECT_EQ(recommended_replicas(all, both[0], both, 2), 2U) << "no more than cores";
  EXPECT_EQ(recommended_replicas(all, "MainPipeline__P__B", slow, 16), 1U);
  EXPECT_FALSE(recommended_replicas(all, "MainPipeline__New", slow, 16));
}

TEST(ReplicaAdviceTest, ReplicasThatThereAreCount) {
  std::vector<KeySummary> all{stage("MainPipeline__Source", 1, "source"), stage("MainPipeline__Slow#1", 2),
                              stage("MainPipeline__Slow#2", 2)};
  all[1].bottleneck = true;
  all[1].items = all[2].items = 50;
  const std::vector<Workload> loads = workloads(all);
  ASSERT_EQ(loads.size(), 2U);
  EXPECT_EQ(loads[1].name, "MainPipeline__Slow");
  EXPECT_EQ(loads[1].replicas, 2U);
  EXPECT_DOUBLE_EQ(loads[1].service_s, 0.04);
  EXPECT_DOUBLE_EQ(loads[1].capacity(), 50);
  const auto sut = advise_replicas(all, 16);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->replicas, 4U);
  EXPECT_DOUBLE_EQ(sut->gain, 2);
}

TEST(ReplicaAdviceTest, StagesOfOneWorkerGoTogether) {
  std::vector<KeySummary> all{stage("MainPipeline__Source", 1, "source"), stage("MainPipeline__Row__A", 1),
                              stage("MainPipeline__Row__B", 2)};
  all[1].worker = all[2].worker = "MainPipeline__Row";
  all[2].bottleneck = true;
  const auto sut = advise_replicas(all, 16);
  ASSERT_TRUE(sut);
  EXPECT_EQ(sut->name, "MainPipeline__Row");
  EXPECT_EQ(sut->replicas, 3U);
}

}  // namespace
}  // namespace pystream::profile
