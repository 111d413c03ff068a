#include <deque>
#include <pystream/error.hpp>
#include <thread>
#include <tuple>

#include "support/child.hpp"
#include "support/link.hpp"

namespace pystream::shm {
namespace {

using namespace pystream::test;

TEST(RingTest, ItemsComeOutAsTheyWentIn) {
  Link link;
  ASSERT_TRUE(put(link.sut, "", {.sequence = 7, .part = 0, .entered_ns = 70}));
  ASSERT_TRUE(put(link.sut, "a", {.sequence = 8, .part = 3, .entered_ns = -1}));
  ASSERT_TRUE(put(link.sut, payload_of(2, 200), {.sequence = ~std::uint64_t{0}, .part = ~0U}));
  link.commit();
  const Record* record = link.reader.try_peek();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->kind, RecordKind::item);
  EXPECT_EQ(record->number, 0U);
  EXPECT_EQ(record->sequence, 7U);
  EXPECT_EQ(record->entered_ns, 70);
  EXPECT_EQ(take(link.reader), "");
  record = link.reader.try_peek();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->number, 1U);
  EXPECT_EQ(record->part, 3U);
  EXPECT_EQ(record->entered_ns, -1);
  EXPECT_EQ(take(link.reader), "a");
  EXPECT_EQ(link.reader.try_peek()->part, ~0U);
  EXPECT_EQ(link.reader.try_peek()->sequence, ~std::uint64_t{0});
  EXPECT_EQ(take(link.reader), payload_of(2, 200));
  EXPECT_EQ(link.reader.try_peek(), nullptr);
}

void put_and_take(Link& link, int records) {
  for (int i = 0; i < records; ++i) {
    ASSERT_TRUE(put(link.sut, "x"));
  }
  link.commit();
  for (int i = 0; i < records; ++i) {
    EXPECT_EQ(take(link.reader), "x");
  }
  EXPECT_EQ(link.reader.try_peek(), nullptr);
  link.reader.release();
}

TEST(RingTest, NapsOnceAfterALookThatFoundSeveralRecords) {
  Link link;
  EXPECT_FALSE(link.reader.try_nap());
  put_and_take(link, 1);
  EXPECT_FALSE(link.reader.try_nap()) << "items come singly, so each is waited for";
  put_and_take(link, 2);
  EXPECT_TRUE(link.reader.try_nap());
  EXPECT_FALSE(link.reader.try_nap()) << "dry after a nap, it sleeps";
  put_and_take(link, 2);
  EXPECT_TRUE(link.reader.try_nap());
}

TEST(RingTest, DoesNotNapWhileTheProducerCouldFillTheLink) {
  Link bytes({.ring_bytes = 4096});
  put_and_take(bytes, 4096 / 48 / 2 + 1);
  EXPECT_FALSE(bytes.reader.try_nap());
  Link items({.items_limit = 4});
  put_and_take(items, 3);
  EXPECT_FALSE(items.reader.try_nap());
  put_and_take(items, 2);
  EXPECT_TRUE(items.reader.try_nap());
}

TEST(RingTest, DoesNotNapWhileTheProducerWaitsForRoom) {
  Link link;
  put_and_take(link, 2);
  ProducerEnd producer = link.segment.map_producer(0);
  producer.own->asleep_at[0] = 1;
  EXPECT_FALSE(link.reader.try_nap());
}

TEST(RingTest, ShouldReleaseWhatTheProducerMaySoonLack) {
  Link link({.ring_bytes = 4096});
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(put(link.sut, "x"));
  }
  link.commit();
  EXPECT_EQ(take(link.reader), "x");
  EXPECT_FALSE(link.reader.should_release());
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(take(link.reader), "x");
  }
  EXPECT_TRUE(link.reader.should_release()) << "more than an eighth of the ring";
  link.reader.release();
  EXPECT_FALSE(link.reader.should_release());
  for (int i = 0; i < 27; ++i) {
    EXPECT_EQ(take(link.reader), "x");
    if (link.reader.should_release()) {
      link.reader.release();
    }
  }
  EXPECT_FALSE(link.reader.has_unreleased()) << "nothing more is there";
}

TEST(RingTest, NothingIsSeenBeforeTheCommit) {
  Link link;
  EXPECT_FALSE(link.sut.has_uncommitted());
  ASSERT_TRUE(put(link.sut, "hidden"));
  EXPECT_TRUE(link.sut.has_uncommitted());
  EXPECT_EQ(link.reader.try_peek(), nullptr);
  link.commit();
  EXPECT_FALSE(link.sut.has_uncommitted());
  EXPECT_EQ(take(link.reader), "hidden");
}

TEST(RingTest, PeekingTwiceGivesTheSameRecord) {
  Link link;
  ASSERT_TRUE(put(link.sut, "once"));
  ASSERT_TRUE(put(link.sut, payload_of(1, 5000)));
  link.commit();
  EXPECT_EQ(text_of(*link.reader.try_peek()), "once");
  EXPECT_EQ(text_of(*link.reader.try_peek()), "once");
  link.reader.advance();
  EXPECT_EQ(text_of(*link.reader.try_peek()), payload_of(1, 5000));
  EXPECT_EQ(text_of(*link.reader.try_peek()), payload_of(1, 5000));
}

TEST(RingTest, ASecondReservationGivesUpTheFirst) {
  Link link;
  ASSERT_NE(link.sut.try_reserve(5000), nullptr);
  ASSERT_NE(link.sut.try_reserve(10), nullptr);
  ASSERT_TRUE(put(link.sut, "kept"));
  link.commit();
  EXPECT_EQ(take_all(link.reader), std::vector<std::string>{"kept"});
}

TEST(RingTest, LessThanReservedMayBeFinished) {
  Link link;
  for (const std::size_t reserved : {100U, 5000U}) {
    std::byte* to = link.sut.try_reserve(reserved);
    ASSERT_NE(to, nullptr);
    std::memcpy(to, "four", 4);
    link.sut.finish(4, {});
  }
  ASSERT_TRUE(put(link.sut, "next"));
  link.commit();
  EXPECT_EQ(take_all(link.reader), (std::vector<std::string>{"four", "four", "next"}));
}

TEST(RingTest, RejectsWriteWhenFull) {
  Link link;  // 4096 bytes: 64 records of 32 + 32
  const std::string item = payload_of(0, 32);
  for (int i = 0; i < 64; ++i) {
    ASSERT_TRUE(put(link.sut, item)) << i;
  }
  EXPECT_FALSE(put(link.sut, item));
  EXPECT_FALSE(put(link.sut, ""));
  EXPECT_FALSE(link.sut.try_mark(RecordKind::end, {}));
  link.commit();
  EXPECT_EQ(take_all(link.reader).size(), 64U);
  EXPECT_FALSE(put(link.sut, item)) << "not released yet";
  link.reader.release();
  EXPECT_TRUE(put(link.sut, item));
}

TEST(RingTest, ReleasingAMarkFreesOnlyWhatIsBeforeIt) {
  Link link;
  const std::string item = payload_of(0, 32);
  while (put(link.sut, item)) {
  }
  link.commit();
  take(link.reader);
  const RingReader::Mark mark = link.reader.mark();
  take(link.reader);
  link.reader.release(mark);
  EXPECT_TRUE(link.reader.has_unreleased());
  EXPECT_TRUE(put(link.sut, item));
  EXPECT_FALSE(put(link.sut, item));
}

TEST(RingTest, HoldsNoMoreItemsThanItsLimit) {
  Link link({.items_limit = 2});
  ASSERT_TRUE(put(link.sut, "1"));
  ASSERT_TRUE(put(link.sut, "2"));
  EXPECT_FALSE(put(link.sut, "3"));
  link.commit();
  EXPECT_EQ(link.sut.items_inside(), 2U);
  EXPECT_FALSE(put(link.sut, "3"));
  take(link.reader);
  link.reader.release();
  EXPECT_EQ(link.sut.items_inside(), 1U);
  EXPECT_TRUE(put(link.sut, "3"));
  EXPECT_FALSE(put(link.sut, "4"));
}

TEST(RingTest, EmptyMeansAllWasTaken) {
  Link link;
  EXPECT_TRUE(link.sut.empty());
  ASSERT_TRUE(put(link.sut, "1"));
  link.commit();
  EXPECT_FALSE(link.sut.empty());
  take(link.reader);
  EXPECT_FALSE(link.sut.empty());
  link.reader.release();
  EXPECT_TRUE(link.sut.empty());
}

TEST(RingTest, TooLargeNamesBothSizes) {
  Link link({.item_limit = 10'000});
  try {
    std::ignore = link.sut.try_reserve(10'001);
    FAIL() << "expected ItemTooLarge";
  } catch (const ItemTooLarge& error) {
    EXPECT_NE(std::string(error.what()).find("10001"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("10000"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(put(link.sut, payload_of(0, 10'000)));
  link.commit();
  EXPECT_EQ(take(link.reader), payload_of(0, 10'000));
  link.reader.release();
  EXPECT_THROW(static_cast<void>(link.sut.try_reserve(10'001)), ItemTooLarge)
      << "though there is memory to the page's end";
}

bool asks_for_room(const Link& link) {
  return (link.segment.map_producer(0).own->release_requested.load() & 1) != 0;
}

TEST(RingTest, AWriterWithoutRoomAsksUntilItHasSome) {
  for (const std::size_t size : {100U, 20'000U}) {
    Link link({.ring_bytes = 4096, .item_limit = 32 * 1024, .large_limit = 9});
    EXPECT_FALSE(asks_for_room(link));
    while (put(link.sut, payload_of(0, size))) {
    }
    EXPECT_TRUE(asks_for_room(link)) << size;
    link.commit();
    take_all(link.reader);
    link.reader.release();
    EXPECT_TRUE(put(link.sut, payload_of(1, size)));
    EXPECT_FALSE(asks_for_room(link)) << size;
  }
}

/// Items that are done do not count for a limit, whether they are released or not.
TEST(RingTest, AWriterAtALimitOfItemsDoesNotAsk) {
  Link small({.items_limit = 1});
  ASSERT_TRUE(put(small.sut, "x"));
  EXPECT_FALSE(put(small.sut, "x"));
  EXPECT_FALSE(asks_for_room(small));
  Link large({.large_limit = 1});
  ASSERT_TRUE(put(large.sut, payload_of(0, 1000)));
  EXPECT_FALSE(put(large.sut, payload_of(0, 1000)));
  EXPECT_FALSE(asks_for_room(large));
}

TEST(RingTest, MarksHaveNoPayload) {
  Link link;
  ASSERT_TRUE(link.sut.try_mark(RecordKind::tombstone, {.sequence = 4, .part = 0, .entered_ns = 2}, 3));
  ASSERT_TRUE(link.sut.try_mark(RecordKind::end, {.sequence = 5}));
  link.commit();
  EXPECT_EQ(link.sut.outputs(), 0U) << "marks are no items";
  const Record* record = link.reader.try_peek();
  EXPECT_EQ(record->kind, RecordKind::tombstone);
  EXPECT_EQ(record->closes, 3U);
  EXPECT_EQ(record->sequence, 4U);
  EXPECT_TRUE(record->payload.empty());
  link.reader.advance();
  EXPECT_EQ(link.reader.try_peek()->kind, RecordKind::end);
  EXPECT_EQ(link.reader.try_peek()->closes, 0U);
}

TEST(RingTest, ClosesIsSetOnTheNewestRecord) {
  Link link;
  ASSERT_TRUE(put(link.sut, "first"));
  ASSERT_TRUE(put(link.sut, payload_of(1, 3000)));
  link.sut.set_closes(64);
  link.commit();
  EXPECT_EQ(link.reader.try_peek()->closes, 0U);
  link.reader.advance();
  EXPECT_EQ(link.reader.try_peek()->closes, 64U);
  EXPECT_EQ(take(link.reader), payload_of(1, 3000));
}

TEST(RingTest, RollbackLeavesNoTrace) {
  Link link;
  ASSERT_TRUE(put(link.sut, "kept"));
  link.commit();
  ASSERT_TRUE(put(link.sut, "gone"));
  ASSERT_TRUE(put(link.sut, payload_of(0, 9000)));
  link.sut.rollback();
  EXPECT_FALSE(link.sut.has_uncommitted());
  EXPECT_EQ(link.sut.next_number(), 1U);
  EXPECT_EQ(link.sut.outputs(), 1U);
  ASSERT_TRUE(put(link.sut, payload_of(1, 9000)));
  const RingWriter::Mark mark = link.sut.mark();
  ASSERT_TRUE(put(link.sut, payload_of(2, 9000)));
  ASSERT_TRUE(put(link.sut, "gone too"));
  link.sut.rollback_to(mark);
  ASSERT_TRUE(put(link.sut, payload_of(3, 8000)));
  link.commit();
  EXPECT_EQ(take_all(link.reader), (std::vector<std::string>{"kept", payload_of(1, 9000), payload_of(3, 8000)}));
}

/// A size for an item: mostly small, some beyond the ring's share, rarely the largest.
std::size_t random_size(std::mt19937_64& random, std::size_t limit) {
  switch (random() % 16) {
    case 0:
      return random() % (limit + 1);
    case 1:
      return limit;
    case 2:
      return std::min<std::size_t>(random() % 2048, limit);
    case 3:
      return 0;
    default:
      return std::min<std::size_t>(random() % 300, limit);
  }
}

TEST(RingTest, RandomSizesWrapAroundForEver) {
  const std::uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  for (const std::uint64_t limit : {4096U, 20'000U, 300'000U}) {
    Link link({.item_limit = limit, .large_limit = 1 + random() % 6});
    std::deque<std::string> model;
    std::uint64_t written = 0;
    std::size_t uncommitted = 0;
    while (written < 4000) {
      switch (random() % 4) {
        case 0:
        case 1: {
          std::string item = payload_of(written, random_size(random, limit));
          if (put(link.sut, item, {.sequence = written})) {
            model.push_back(std::move(item));
            ++written;
            ++uncommitted;
          } else {
            ASSERT_FALSE(model.empty()) << "an empty link takes any item; seed " << seed;
          }
          break;
        }
        case 2:
          if (uncommitted > 0) {
            link.commit();
            uncommitted = 0;
          }
          break;
        default:
          for (std::uint64_t n = random() % 8; n > 0 && model.size() > uncommitted; --n) {
            ASSERT_EQ(take(link.reader), model.front()) << "seed " << seed;
            model.pop_front();
          }
          link.reader.release();
      }
    }
  }
}

struct Stress {
  std::uint64_t seed = 0;
  std::uint64_t items = 0;
  LinkSize size;
  std::int64_t spin_ns = 0;
};

/// Longer than any test may take: a lost wake-up shows as a test that was too slow.
constexpr std::int64_t kForEver = 60 * kSecondNs;

void produce(RingWriter& ring, const Stress& stress) {
  std::mt19937_64 random(stress.seed);
  std::mt19937_64 rhythm(stress.seed + 1);
  for (std::uint64_t i = 0; i < stress.items; ++i) {
    const std::string item = payload_of(i, random_size(random, stress.size.item_limit));
    while (!put(ring, item, {.sequence = i})) {
      if (ring.has_uncommitted()) {
        ring.commit({.inputs_done = i});
        continue;
      }
      ring.wait(stress.spin_ns, kForEver);
    }
    if (rhythm() % 4 == 0) {
      ring.commit({.inputs_done = i + 1});
    }
  }
  if (ring.has_uncommitted()) {
    ring.commit({.inputs_done = stress.items});
  }
}

/// The first item that is wrong; empty if all are right.
std::string consume(RingReader& ring, const Stress& stress) {
  std::mt19937_64 random(stress.seed);
  std::mt19937_64 rhythm(stress.seed + 2);
  for (std::uint64_t i = 0; i < stress.items;) {
    const Record* record = ring.try_peek();
    if (record == nullptr) {
      ring.release();
      ring.wait(stress.spin_ns, kForEver);
      continue;
    }
    if (record->sequence != i || text_of(*record) != payload_of(i, random_size(random, stress.size.item_limit))) {
      return "item " + std::to_string(i) + " is wrong";
    }
    ring.advance();
    ++i;
    if (rhythm() % 4 == 0) {
      ring.release();
    }
  }
  ring.release();
  return {};
}

class RingStressTest : public ::testing::TestWithParam<int> {
 protected:
  Stress stress() const {
    static const LinkSize kSizes[] = {
        {.ring_bytes = 4096, .item_limit = 200},
        {.ring_bytes = 4096, .item_limit = 20'000, .large_limit = 1},
        {.ring_bytes = 65'536, .item_limit = 100'000, .items_limit = 3},
        {.ring_bytes = 16'384, .item_limit = 50'000},
    };
    return {
        .seed = test_seed(), .items = 20'000, .size = kSizes[GetParam() % 4], .spin_ns = GetParam() >= 4 ? 2'000 : 0};
  }
};

TEST_P(RingStressTest, TwoThreads) {
  const Stress given = stress();
  const Deadline deadline{std::chrono::seconds(45)};
  const Segment segment = make_link(given.size);
  std::thread producer([&] {
    RingWriter ring(segment.map_producer(0));
    produce(ring, given);
  });
  RingReader ring(segment.map_consumer(0), 0);
  EXPECT_EQ(consume(ring, given), "");
  producer.join();
  EXPECT_FALSE(deadline.passed()) << "a wake-up was lost";
}

TEST_P(RingStressTest, TwoProcesses) {
  const Stress given = stress();
  const Deadline deadline{std::chrono::seconds(45)};
  const Segment segment = make_link(given.size);
  Child producer([&] {
    RingWriter ring(segment.map_producer(0));
    produce(ring, given);
  });
  RingReader ring(segment.map_consumer(0), 0);
  EXPECT_EQ(consume(ring, given), "");
  EXPECT_EQ(producer.wait(), 0);
  EXPECT_FALSE(deadline.passed()) << "a wake-up was lost";
}

INSTANTIATE_TEST_SUITE_P(Sizes, RingStressTest, ::testing::Range(0, 8));

}  // namespace
}  // namespace pystream::shm
