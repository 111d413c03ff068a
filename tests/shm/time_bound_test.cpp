#include "shm/time_bound.hpp"

#include "support/child.hpp"
#include "support/link.hpp"

namespace pystream::shm {
namespace {

using namespace pystream::test;

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kForEver = 60 * kSecondNs;

/// A bound of 100 ms whose producer always has more, and a clock of its own.
class TimeBoundTest : public ::testing::Test {
 protected:
  /// The producer looks after `ns`, in which `items` were done; `dry`: all that there was.
  void pass(std::int64_t ns, std::uint64_t items, bool dry = false) {
    now_ns_ += ns;
    done_ += items;
    sut_.look({.now_ns = now_ns_, .done = done_, .dry = dry, .wanted = wanted_});
  }
  void grow_to(std::uint64_t limit) {
    while (sut_.limit() < limit) {
      sut_.note_wait();
      pass(0, 0, true);
    }
  }

  TimeBound sut_{100 * kMs};
  std::int64_t now_ns_ = kSecondNs;
  std::uint64_t done_ = 0;
  std::uint64_t wanted_ = 0;
};

TEST_F(TimeBoundTest, StartsAtTheFewestThatKeepBothEndsBusy) {
  EXPECT_TRUE(sut_.applies());
  EXPECT_EQ(sut_.limit(), 8U);
}

TEST_F(TimeBoundTest, WithoutATimeThereIsNoLimit) {
  const TimeBound none(0);
  EXPECT_FALSE(none.applies());
  EXPECT_EQ(none.limit(), kInvalidPosition);
}

TEST_F(TimeBoundTest, DoublesWhenAConsumerRunsDryWhileTheProducerWaits) {
  pass(0, 0);
  sut_.note_wait();
  pass(kMs, 8, true);
  EXPECT_EQ(sut_.limit(), 16U);
}

TEST_F(TimeBoundTest, DoublesOnceForEachWait) {
  pass(0, 0);
  sut_.note_wait();
  pass(1000, 8, true);
  pass(1000, 0, true);
  EXPECT_EQ(sut_.limit(), 16U);
  sut_.note_commit(true);
  EXPECT_EQ(sut_.limit(), 16U) << "it is the same time that it ran dry";
}

TEST_F(TimeBoundTest, DoublesWhenAConsumerRunsDryBeforeTheNextCommit) {
  pass(0, 0);
  sut_.note_wait();
  pass(1000, 4);
  EXPECT_EQ(sut_.limit(), 8U);
  EXPECT_TRUE(sut_.watches_commit());
  sut_.note_commit(true);
  EXPECT_EQ(sut_.limit(), 16U);
}

/// The commit after a wait is of what the producer had in hand; the gap comes behind it.
TEST_F(TimeBoundTest, DoublesWhenAConsumerRunsDryInTheGapAfterAWait) {
  pass(0, 0);
  sut_.note_wait();
  pass(1000, 4);
  sut_.note_commit(false);
  EXPECT_EQ(sut_.limit(), 8U);
  sut_.note_commit(true);
  EXPECT_EQ(sut_.limit(), 16U);
  EXPECT_FALSE(sut_.watches_commit());
}

TEST_F(TimeBoundTest, AConsumerThatIsDryBecauseTheProducerIsSlowChangesNothing) {
  for (int i = 0; i < 1000; ++i) {
    pass(kMs / 10, 1, true);
    sut_.note_commit(true);
  }
  EXPECT_EQ(sut_.limit(), 125U) << "an eighth of what is done in the time";
  pass(0, 0, true);
  sut_.note_wait();
  sut_.note_commit(false);
  sut_.note_commit(false);
  sut_.note_commit(true);
  EXPECT_EQ(sut_.limit(), 125U) << "that was a commit later";
}

TEST_F(TimeBoundTest, ARunThatWasCutCountsAsAWaitFromItsCommitOn) {
  pass(0, 0, true);
  sut_.note_cut();
  EXPECT_TRUE(sut_.watches_commit());
  sut_.note_commit(true);  // of the run itself: before it there was nothing to do
  EXPECT_EQ(sut_.limit(), 8U);
  pass(1000, 8, true);
  EXPECT_EQ(sut_.limit(), 16U);
}

TEST_F(TimeBoundTest, FollowsAFastConsumerWithinAnEighthOfTheTime) {
  pass(0, 0);
  pass(13 * kMs, 130'000);
  EXPECT_EQ(sut_.limit(), 125'000U);
}

TEST_F(TimeBoundTest, StaysAtTheFewestForAConsumerThatIsSlow) {
  pass(0, 0);
  for (int i = 0; i < 100; ++i) {
    sut_.note_wait();
    pass(40 * kMs, 4);
    EXPECT_EQ(sut_.limit(), 8U);
  }
}

TEST_F(TimeBoundTest, ShrinksByATenthASecondToWhatIsDoneInTheTime) {
  pass(0, 0);
  grow_to(1024);
  pass(1, 0);
  pass(13 * kMs, 0);  // closes the window in which it was starved
  const auto before = static_cast<double>(sut_.limit());
  for (int i = 0; i < 50; ++i) {
    pass(20 * kMs, 20);
  }
  EXPECT_NEAR(static_cast<double>(sut_.limit()), 0.905 * before, 0.01 * before);
  for (int i = 0; i < 60 * 50; ++i) {
    pass(20 * kMs, 20);
  }
  EXPECT_EQ(sut_.limit(), 100U);
}

TEST_F(TimeBoundTest, DoesNotShrinkWhileItsConsumerRunsDry) {
  pass(0, 0);
  grow_to(1024);
  for (int i = 0; i < 1000; ++i) {
    pass(10 * kMs, 10, i % 2 == 0);
  }
  EXPECT_EQ(sut_.limit(), 1024U);
}

TEST_F(TimeBoundTest, StaysAsItIsWhileNothingIsDone) {
  pass(0, 0);
  grow_to(1024);
  pass(13 * kMs, 1);
  for (int i = 0; i < 100; ++i) {
    pass(kSecondNs, 0);
  }
  EXPECT_EQ(sut_.limit(), 1024U);
  pass(600 * kSecondNs, 1);
  EXPECT_GT(sut_.limit(), 900U) << "a pause is no slow work";
}

TEST_F(TimeBoundTest, HoldsWhatAConsumerHasToSeeAtOnce) {
  wanted_ = 200;
  pass(0, 0);
  EXPECT_EQ(sut_.limit(), 200U);
  wanted_ = kInvalidPosition;
  pass(0, 0);
  EXPECT_LE(sut_.limit(), 65'536U) << "the figure is not trusted";
}

TEST_F(TimeBoundTest, NothingTheConsumerSaysMakesItOverflow) {
  for (int i = 0; i < 200; ++i) {
    sut_.note_wait();
    pass(13 * kMs, std::uint64_t{1} << 55, true);
  }
  EXPECT_LE(sut_.limit(), 1'000'000'000U);
  EXPECT_GE(sut_.limit(), 8U);
}

/// A link of 64 KiB with a bound.
struct BoundLink : Link {
  explicit BoundLink(std::uint64_t items_limit = 0)
      : Link({.ring_bytes = 65'536, .items_limit = items_limit, .time_limit_ns = 100'000'000}) {}

  std::uint64_t fill() {
    std::uint64_t items = 0;
    for (; put(sut, "x"); ++items) {
    }
    return items;
  }
  void do_items(std::uint64_t items) {
    for (std::uint64_t i = 0; i < items; ++i) {
      ASSERT_TRUE(take(reader));
      reader.release();
    }
  }
  /// The producer waits without sleeping.
  void wait() { sut.wait(1, 1); }
};

TEST(TimeBoundLinkTest, TheLinkHoldsTheFewestUntilItLearns) {
  BoundLink link;
  EXPECT_EQ(link.fill(), 8U);
  link.commit();
  link.wait();
  EXPECT_EQ(link.fill(), 0U);
  link.do_items(3);
  EXPECT_EQ(link.fill(), 3U);
}

TEST(TimeBoundLinkTest, TheLimitOfItemsHoldsBesideIt) {
  BoundLink link(2);
  EXPECT_EQ(link.fill(), 2U);
}

TEST(TimeBoundLinkTest, HoldsMoreOnceItHasStarvedItsConsumer) {
  BoundLink link;
  EXPECT_EQ(link.fill(), 8U);
  link.commit();
  link.wait();
  link.do_items(8);
  EXPECT_EQ(link.fill(), 16U);
}

TEST(TimeBoundLinkTest, WhatTheProducerHoldsBackStarvesNobody) {
  BoundLink link;
  EXPECT_EQ(link.fill(), 8U);
  EXPECT_EQ(link.fill(), 0U);
  link.wait();  // with nothing committed
  EXPECT_EQ(link.fill(), 0U);
  link.commit();
  EXPECT_EQ(link.fill(), 0U);
}

TEST(TimeBoundLinkTest, TheProducerSaysHowMuchIsAllowed) {
  BoundLink link;
  const ConsumerEnd end = link.segment.map_consumer(0);
  EXPECT_EQ(end.peer->time_limit, 8U);
  link.fill();
  link.commit();
  link.wait();
  link.do_items(8);
  link.fill();
  EXPECT_EQ(end.peer->time_limit, 16U);
}

TEST(TimeBoundLinkTest, OneThatDoesNotWaitHasNoBound) {
  BoundLink link;
  link.sut.lift_time_bound();
  EXPECT_EQ(link.fill(), 65'536U / 48);
  EXPECT_EQ(link.segment.map_consumer(0).peer->time_limit, 0U);
}

TEST(TimeBoundLinkTest, ARunExceedsTheLimitByHalfAtMost) {
  const std::vector<std::string> items(512, "1234");
  BoundLink link;
  EXPECT_EQ(put_run(link.sut, items), 8U);
  link.commit();
  EXPECT_EQ(put_run(link.sut, items), 0U);
  link.do_items(8);
  EXPECT_EQ(put_run(link.sut, items), 16U) << "it ran dry after a run that was cut";
  link.commit();
  for (std::uint64_t limit = 16; limit < 512; limit *= 2) {
    link.do_items(limit);
    EXPECT_EQ(put_run(link.sut, items), std::min<std::uint64_t>(2 * limit, 512));
    link.commit();
  }
  link.do_items(300);
  EXPECT_EQ(put_run(link.sut, items), 300U) << "what is left, which is more than half";
  link.commit();
  link.do_items(100);
  EXPECT_EQ(put_run(link.sut, items), 256U) << "as much as half of the limit at once";
}

TEST(TimeBoundLinkTest, AReaderThatWantsMoreAtOnceGetsIt) {
  BoundLink link;
  EXPECT_EQ(link.fill(), 8U);
  link.commit();
  link.reader.want_at_once(20);
  EXPECT_EQ(link.fill(), 12U);
}

TEST(TimeBoundLinkTest, ASuccessorStartsAtTheFewest) {
  BoundLink link;
  link.fill();
  link.commit();
  link.wait();
  link.do_items(8);
  EXPECT_EQ(link.fill(), 16U);
  link.commit();
  RingWriter successor(link.segment.map_producer(0));
  EXPECT_FALSE(put(successor, "x"));
  link.do_items(9);
  EXPECT_TRUE(put(successor, "x"));
}

/// The reader does not wake the producer for each item, and never too late.
TEST(TimeBoundWaitTest, NoWakeUpIsLostThoughTheReaderKnowsTheLimitByHearsayAlone) {
  constexpr std::uint64_t kItems = 20'000;
  for (const bool trusted : {true, false}) {
    BoundLink link;
    const Deadline deadline{std::chrono::seconds(50)};
    Child reader([&] {
      const ProducerEnd lies = link.segment.map_producer(0);
      RingReader ring(link.segment.map_consumer(0), 0);
      for (std::uint64_t i = 0; i < kItems;) {
        if (!trusted) {
          lies.own->time_limit = i % 3 == 0 ? 0 : i % 1000;
        }
        if (ring.try_peek() == nullptr) {
          ring.wait(0, kForEver);
        } else {
          ring.advance();
          ring.release();
          ++i;
        }
      }
    });
    for (std::uint64_t i = 0; i < kItems;) {
      if (put(link.sut, payload_of(i, 20), {.sequence = i})) {
        ++i;
        link.commit();
      } else {
        link.sut.wait(0, kForEver);
      }
    }
    EXPECT_EQ(reader.wait(), 0);
    EXPECT_FALSE(deadline.passed()) << "a wake-up was lost";
  }
}

TEST(TimeBoundWaitTest, AReaderThatWantsMoreAtOnceWakesTheProducer) {
  BoundLink link;
  const Deadline deadline{std::chrono::seconds(50)};
  link.fill();
  link.commit();
  Child reader([&] {
    const ConsumerEnd end = link.segment.map_consumer(0);
    if (!wait_until([&] { return end.peer->asleep_at[0] != 0; })) {
      throw std::runtime_error("the producer does not sleep");
    }
    RingReader ring(link.segment.map_consumer(0), 0);
    ring.want_at_once(20);
  });
  EXPECT_EQ(link.fill(), 0U);
  while (link.fill() == 0 && !deadline.passed()) {
    link.sut.wait(0, kForEver);
  }
  EXPECT_EQ(reader.wait(), 0);
  EXPECT_FALSE(deadline.passed());
}

}  // namespace
}  // namespace pystream::shm
