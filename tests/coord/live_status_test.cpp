#include "coord/live_status.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "plan/json.hpp"

namespace pystream::coord {
namespace {

LiveStatus status_at(double seconds, std::uint64_t items) {
  LiveStatus status{
      .pid = 7, .name = "n", .state = "running", .time_ns = 1 + std::llround(seconds * 1e9), .uptime_s = seconds};
  LiveStage& stage = status.stages.emplace_back(LiveStage{.key = "K", .role = "stage", .worker = 0});
  stage.figures.items = items;
  stage.figures.total_ns = items * 1'000;
  stage.figures.max_ns = 1'000;
  stage.figures.waiting_ns = items * 3'000;
  stage.figures.working_ns = items * 1'000;
  stage.figures.histogram.resize(shm::kBuckets);
  stage.figures.histogram[shm::bucket_of(1'000)] = items;
  status.workers.push_back({.name = "W", .pid = 8, .phase = "waiting", .restarts = 2});
  status.links.push_back({.name = "L",
                          .consumers = {0},
                          .items = 1,
                          .done = items,
                          .bytes = 25,
                          .capacity = 100,
                          .dropped = 3,
                          .fill = 0.25,
                          .oldest_ns = 40'000'000});
  return status;
}

TEST(LiveStatus, ComesOutAsItWentIn) {
  const LiveStatus status = status_at(1, 100);
  const LiveStatus sut = base::decode<LiveStatus>(base::encode(status));
  EXPECT_EQ(base::encode(sut), base::encode(status));
  EXPECT_EQ(sut.stages[0].figures.histogram, status.stages[0].figures.histogram);
  EXPECT_EQ(sut.workers[0].restarts, 2U);
  EXPECT_LT(base::encode(status).size(), 1'000U) << "of a histogram only what is used";
}

TEST(LiveStatus, FiguresAreOfTheTimeBetween) {
  const LiveStatus now = status_at(3, 500);
  const auto sut = figures_between(status_at(1, 100), now);
  ASSERT_EQ(sut.size(), 1U);
  EXPECT_DOUBLE_EQ(sut[0].did.items_per_s, 200);
  EXPECT_NEAR(sut[0].did.mean_s, 1e-6, 1e-12);
  EXPECT_NEAR(sut[0].did.p50_s, 1e-6, 1e-6 / 32);
  EXPECT_DOUBLE_EQ(sut[0].did.waiting, 0.75);
  EXPECT_DOUBLE_EQ(sut[0].did.working, 0.25);
  EXPECT_DOUBLE_EQ(sut[0].fill, 0.25);
  EXPECT_DOUBLE_EQ(sut[0].queueing_s, 1 / 200.) << "one item inside, 200 a second";
  EXPECT_DOUBLE_EQ(sut[0].oldest_s, 0.04);
  EXPECT_EQ(sut[0].did.dropped, 3U);
  EXPECT_EQ(sut[0].worker->name, "W");
}

TEST(LiveStatus, WithoutAnEarlierOneSinceTheBegin) {
  EXPECT_DOUBLE_EQ(figures_between({}, status_at(2, 500))[0].did.items_per_s, 250);
}

TEST(LiveStatus, AnItemThatTakesLongIsWork) {
  LiveStatus now = status_at(2, 100);
  now.workers[0].item_age_ns = 2'000'000'000;
  EXPECT_GT(figures_between(status_at(1, 100), now)[0].did.working, 0.99);
}

TEST(LiveStatus, ItsJsonNamesBothEndsOfLinks) {
  LiveStatus now = status_at(2, 100);
  now.workers.push_back({.name = "V"});
  now.links[0].consumers = {0, 1};
  const std::string json = to_json({}, now);
  EXPECT_TRUE(plan::parse_json(json).complete) << json;
  EXPECT_NE(json.find(R"("producer": "W", "consumers": ["W", "V"])"), std::string::npos) << json;
  now.links[0].consumers = {7};  // another version, or damaged: no such worker
  EXPECT_TRUE(plan::parse_json(to_json({}, now)).complete);
}

TEST(LiveStatus, TellsWhatLimits) {
  LiveStatus before = status_at(1, 100);
  LiveStatus now = status_at(3, 500);
  for (LiveStatus* status : {&before, &now}) {
    status->stages[0].figures.waiting_ns = 0;
    status->stages[0].figures.working_ns = status->stages[0].figures.items * 1'000'000;
    status->stages[0].figures.total_ns = status->stages[0].figures.working_ns;
    status->stages.push_back({.key = "Idle", .role = "sink", .worker = 1});
    status->stages[1].figures.items = status->stages[0].figures.items;
    status->stages[1].figures.waiting_ns = 1'000'000 * status->stages[0].figures.items;
    status->workers.push_back({.name = "V"});
    status->links[0].consumers = {1};
  }
  const auto sut = figures_between(before, now);
  EXPECT_TRUE(sut[0].did.bottleneck);
  EXPECT_FALSE(sut[1].did.bottleneck);
}

}  // namespace
}  // namespace pystream::coord
