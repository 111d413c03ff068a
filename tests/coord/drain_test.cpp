#include "coord/drain.hpp"

#include <gtest/gtest.h>

namespace pystream::coord {
namespace {

using namespace std::chrono_literals;

/// `done`: items that the only link has let out so far.
LiveStatus status_of(std::chrono::nanoseconds time, std::uint64_t done) {
  LiveStatus status{.time_ns = time.count()};
  status.workers = {{.name = "Source"}, {.name = "Sink", .pid = 12}};
  status.links = {{.name = "L", .consumers = {1}, .items = 100, .done = done}};
  return status;
}

TEST(DrainTest, HasNoDeadlineBeforeItBegins) {
  Drain sut(10s);
  EXPECT_FALSE(sut.begun());
  EXPECT_EQ(sut.deadline(), std::nullopt);
  EXPECT_FALSE(sut.times_out(1h));
}

TEST(DrainTest, TimesOutOnce) {
  Drain sut(10s);
  sut.begin({}, 100s);
  sut.begin({}, 105s);  // a second request does not prolong it
  EXPECT_TRUE(sut.begun());
  EXPECT_EQ(sut.deadline(), 110s);
  EXPECT_FALSE(sut.times_out(109s));
  EXPECT_FALSE(sut.timed_out());
  EXPECT_TRUE(sut.times_out(110s));
  EXPECT_FALSE(sut.times_out(111s));
  EXPECT_TRUE(sut.timed_out());
}

TEST(DrainTest, WithoutATimeoutItTakesAsLongAsItDoes) {
  Drain sut({});
  sut.begin({}, 100s);
  EXPECT_EQ(sut.deadline(), std::nullopt);
  EXPECT_FALSE(sut.times_out(100h));
}

TEST(DrainTest, ANoticeTellsTheRateSinceThePreviousOne) {
  Drain sut({});
  sut.begin(status_of(100s, 0), 100s);
  EXPECT_FALSE(sut.notice_is_due(100s));
  EXPECT_TRUE(sut.notice_is_due(102s));
  EXPECT_EQ(sut.notice(status_of(102s, 20), "press x"),
            "draining: 100 items inside, all of them are in or in front of Sink; about 10 s at this rate; press x");
  EXPECT_EQ(sut.notice(status_of(104s, 60), "press x"),
            "draining: 100 items inside, all of them are in or in front of Sink; about 5 s at this rate; press x");
}

}  // namespace
}  // namespace pystream::coord
