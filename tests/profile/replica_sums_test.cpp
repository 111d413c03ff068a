#include "profile/replica_sums.hpp"

#include <gtest/gtest.h>

namespace pystream::profile {
namespace {

Figures figures(std::uint64_t items, std::uint64_t total_ns, std::int64_t first_end_ns, std::int64_t last_end_ns) {
  return {.items = items,
          .total_ns = total_ns,
          .working_ns = total_ns,
          .first_end_ns = first_end_ns,
          .last_end_ns = last_end_ns,
          .histogram = {}};
}

KeySummary key_of(const std::string& key, const Figures& of, std::uint32_t restarts = 0) {
  KeySummary summary = summary_of(of);
  summary.key = key;
  summary.role = "stage";
  summary.worker = key;
  summary.restarts = restarts;
  return summary;
}

TEST(ReplicaSumsTest, StandInFrontOfTheFirstReplica) {
  const std::vector<Figures> all{figures(30, 300, 1'000'000'000, 3'000'000'000),
                                 figures(20, 300, 5'000'000'000, 6'000'000'000),
                                 figures(10, 300, 2'000'000'000, 4'000'000'000)};
  const std::vector<KeySummary> sut =
      with_replica_sums({key_of("MainPipeline__A#1", all[0], 1), key_of("MainPipeline__B", all[1]),
                         key_of("MainPipeline__A#2", all[2], 2)},
                        all);
  ASSERT_EQ(sut.size(), 4U);
  EXPECT_EQ(sut[0].key, "MainPipeline__A");
  EXPECT_EQ(sut[0].replicas, 2U);
  EXPECT_EQ(sut[0].worker, "");
  EXPECT_EQ(sut[0].items, 40U);
  EXPECT_EQ(sut[0].restarts, 3U);
  EXPECT_DOUBLE_EQ(sut[0].mean_s, 15e-9);
  EXPECT_DOUBLE_EQ(sut[0].items_per_s, 39 / 3.) << "from the first end of any to the last end of any";
  EXPECT_EQ(sut[1].key, "MainPipeline__A#1");
  EXPECT_EQ(sut[1].replicas, 1U);
  EXPECT_EQ(sut[2].key, "MainPipeline__B");
  EXPECT_EQ(sut[3].key, "MainPipeline__A#2");
}

TEST(ReplicaSumsTest, AReplicaWithoutItemsChangesNoTimes) {
  const std::vector<Figures> all{figures(0, 0, 0, 0), figures(10, 300, 2'000'000'000, 4'000'000'000)};
  const std::vector<KeySummary> sut =
      with_replica_sums({key_of("MainPipeline__A#1", all[0]), key_of("MainPipeline__A#2", all[1])}, all);
  EXPECT_DOUBLE_EQ(sut[0].items_per_s, 9 / 2.);
}

TEST(ReplicaSumsTest, AreNoBottlenecks) {
  const std::vector<Figures> all{figures(30, 30'000'000'000, 1, 2), figures(30, 20'000'000'000, 1, 2)};
  std::vector<KeySummary> keys =
      with_replica_sums({key_of("MainPipeline__A#1", all[0]), key_of("MainPipeline__A#2", all[1])}, all);
  mark_bottleneck(keys, {});
  EXPECT_FALSE(keys[0].bottleneck);
  EXPECT_TRUE(keys[1].bottleneck);
}

}  // namespace
}  // namespace pystream::profile
