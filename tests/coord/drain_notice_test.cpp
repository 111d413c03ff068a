#include "coord/drain_notice.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace pystream::coord {
namespace {

using namespace std::chrono_literals;

LiveStatus status_of(std::vector<std::uint64_t> items) {
  LiveStatus status;
  status.workers = {{.name = "Source", .pid = 0, .phase = "finished"},
                    {.name = "Slow", .pid = 11, .phase = "working"},
                    {.name = "Sink", .pid = 12, .phase = "waiting"}};
  for (std::uint32_t i = 0; i < items.size(); ++i) {
    status.links.push_back({.name = "L" + std::to_string(i), .consumers = {i + 1}, .items = items[i]});
  }
  return status;
}

TEST(DrainNoticeTest, IsDueAfterASecondAndThenNowAndThen) {
  DrainNotice sut;
  EXPECT_FALSE(sut.is_due(100s)) << "nothing drains";
  sut.begin(100s);
  sut.begin(105s);  // a second request changes nothing
  std::vector<int> told;
  for (auto at = 100'000ms; at < 400'000ms; at += 100ms) {
    if (sut.is_due(at)) {
      told.push_back(static_cast<int>(at.count() / 1000 - 100));
    }
  }
  EXPECT_EQ(told, (std::vector<int>{1, 4, 13, 40, 70, 100, 130, 160, 190, 220, 250, 280}));
}

TEST(DrainNoticeTest, SaysHowManyItemsAreInsideAndWhere) {
  EXPECT_EQ(DrainNotice::text({}, status_of({120, 17}), "press x"),
            "draining: 137 items inside, 120 are in or in front of Slow; press x");
  EXPECT_EQ(DrainNotice::text({}, status_of({0, 5}), "press x"),
            "draining: 5 items inside, all of them are in or in front of Sink; press x");
  EXPECT_EQ(DrainNotice::text({}, status_of({1, 0}), "press x"),
            "draining: 1 item inside, it is in or in front of Slow; press x");
}

/// Items done of each link since a status of two seconds ago.
std::string after_two_seconds(std::vector<std::uint64_t> inside, std::vector<std::uint64_t> done) {
  LiveStatus before = status_of(inside);
  before.time_ns = 1'000'000'000;
  LiveStatus now = before;
  now.time_ns = 3'000'000'000;
  for (std::size_t i = 0; i < done.size(); ++i) {
    before.links[i].done = 70;
    now.links[i].done = 70 + done[i];
  }
  return DrainNotice::text(before, now, "press x");
}

TEST(DrainNoticeTest, SaysHowLongTheRestTakesAtTheRateOfLate) {
  EXPECT_EQ(after_two_seconds({120, 17}, {20, 30}),
            "draining: 137 items inside, 120 are in or in front of Slow; about 12 s at this rate; press x");
  EXPECT_EQ(after_two_seconds({100, 20}, {200, 2}),
            "draining: 120 items inside, 100 are in or in front of Slow; about 120 s at this rate; press x")
      << "what is further up passes the slowest stage too";
  EXPECT_EQ(after_two_seconds({0, 5}, {0, 30}),
            "draining: 5 items inside, all of them are in or in front of Sink; less than a second at this rate; press "
            "x");
  EXPECT_EQ(after_two_seconds({5, 0}, {0, 0}),
            "draining: 5 items inside, all of them are in or in front of Slow; the time left is unknown, because a "
            "stage has not finished an item lately; press x");
}

TEST(DrainNoticeTest, NamesWhoStillRunsIfNoItemIsInside) {
  EXPECT_EQ(DrainNotice::text({}, status_of({0, 0}), "press x"),
            "draining: no item waits between workers; still running: Slow (working), Sink (waiting); press x");
}

}  // namespace
}  // namespace pystream::coord
