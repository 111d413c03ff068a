#include "profile/summary.hpp"

#include <gtest/gtest.h>

namespace pystream::profile {
namespace {

Figures figures() {
  Figures figures{.items = 100,
                  .samples = 100,
                  .errors = 2,
                  .timed = 100,
                  .timed_ns = 1'000,
                  .total_ns = 1'000,
                  .min_ns = 5,
                  .max_ns = 15,
                  .waiting_ns = 500,
                  .working_ns = 1'000,
                  .blocked_ns = 500,
                  .first_end_ns = 1'000'000'000,
                  .last_end_ns = 2'000'000'000,
                  .histogram = std::vector<std::uint64_t>(shm::kBuckets)};
  figures.histogram[5] = 50;
  figures.histogram[15] = 50;
  return figures;
}

TEST(Summary, FollowsFromTheCounters) {
  const KeySummary sut = summary_of(figures());
  EXPECT_EQ(sut.items, 100U);
  EXPECT_EQ(sut.errors, 2U);
  EXPECT_DOUBLE_EQ(sut.mean_s, 10e-9);
  EXPECT_DOUBLE_EQ(sut.p50_s, 5e-9);
  EXPECT_DOUBLE_EQ(sut.p99_s, 15e-9);
  EXPECT_DOUBLE_EQ(sut.max_s, 15e-9);
  EXPECT_DOUBLE_EQ(sut.items_per_s, 99);
  EXPECT_DOUBLE_EQ(sut.waiting, 0.25);
  EXPECT_DOUBLE_EQ(sut.working, 0.5);
  EXPECT_DOUBLE_EQ(sut.blocked, 0.25);
  EXPECT_DOUBLE_EQ(sut.busy_s, 1e-6);
  EXPECT_DOUBLE_EQ(sut.active_s, 2e-6);
  EXPECT_EQ(sut.rank_error, 0) << "every item was timed";
}

TEST(Summary, OfNothingIsZero) {
  const KeySummary sut = summary_of({});
  EXPECT_EQ(sut.mean_s, 0);
  EXPECT_EQ(sut.p99_s, 0);
  EXPECT_EQ(sut.items_per_s, 0);
  EXPECT_EQ(sut.working, 0);
}

TEST(Summary, FewerSamplesAreLessSure) {
  Figures sampled = figures();
  sampled.items = 100'000;
  const double of_hundred = summary_of(sampled).rank_error;
  sampled.samples = 10'000;
  EXPECT_GT(of_hundred, summary_of(sampled).rank_error);
  EXPECT_GT(summary_of(sampled).rank_error, 0);
}

TEST(Figures, WhatWasAddedAddsUpAgain) {
  const Figures before = figures();
  Figures now = before;
  now.items += 10;
  now.timed += 10;
  now.total_ns += 200;
  now.histogram[20] += 10;
  const Figures added = now.since(before);
  EXPECT_EQ(added.items, 10U);
  EXPECT_EQ(added.min_ns, 20U) << "as far as the histogram tells";
  Figures sum = before;
  sum.add(added);
  EXPECT_EQ(sum.items, now.items);
  EXPECT_EQ(sum.total_ns, now.total_ns);
  EXPECT_EQ(sum.histogram, now.histogram);
  EXPECT_EQ(sum.max_ns, 20U);
}

TEST(Summary, TheBottleneckIsMarked) {
  std::vector<KeySummary> keys{{.key = "Main", .role = "pipeline", .items = 100, .busy_s = 9},
                               {.key = "A",
                                .role = "source",
                                .worker = "A",
                                .items = 100,
                                .max_s = 0.001,
                                .working = 0.1,
                                .busy_s = 0.1,
                                .active_s = 1},
                               {.key = "B",
                                .role = "sink",
                                .worker = "B",
                                .items = 100,
                                .max_s = 0.01,
                                .working = 0.9,
                                .busy_s = 0.9,
                                .active_s = 1}};
  const auto limiting = mark_bottleneck(keys, std::vector<WorkerLink>{{.producer = "A", .consumer = "B"}});
  ASSERT_TRUE(limiting);
  EXPECT_EQ(limiting->key, &keys[2]);
  EXPECT_TRUE(keys[2].bottleneck);
  EXPECT_FALSE(keys[0].bottleneck || keys[1].bottleneck);
}

}  // namespace
}  // namespace pystream::profile
