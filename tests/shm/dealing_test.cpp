#include <memory>

#include "support/child.hpp"
#include "support/link.hpp"

/// Links that deal: each record is for one of two consumers, in turn.
namespace pystream::shm {
namespace {

using namespace pystream::test;
using Texts = std::vector<std::string>;

constexpr std::int64_t kForEver = 10 * 60 * kSecondNs;

Segment make_dealing_link(LinkSize size = {}) {
  size.consumers = {1, 2};
  size.ring_bytes = 4096;
  size.item_limit = 64 * 1024;
  size.sharing = Sharing::turn;
  return Segment::create({.workers = {{}, {}, {}}, .links = {size}, .plan = "{}"});
}

class DealingTest : public ::testing::Test {
 protected:
  explicit DealingTest(const LinkSize& size = {}) : segment_(make_dealing_link(size)) {}

  void deal_all(const Texts& texts) {
    for (const std::string& text : texts) {
      ASSERT_TRUE(put_and_commit(sut_, text)) << text;
    }
  }
  void end() {
    ASSERT_TRUE(sut_.try_mark(RecordKind::end, {}));
    sut_.commit({.inputs_done = sut_.next_number()});
  }
  /// A successor of the consumer with this index, whose journal names this record.
  RingReader successor(std::uint32_t index, std::uint64_t inputs_done) const {
    return {segment_.map_consumer(0, index), inputs_done};
  }

  const Segment segment_;
  RingWriter sut_{segment_.map_producer(0)};
  RingReader first_{segment_.map_consumer(0, 0), 0};
  RingReader second_{segment_.map_consumer(0, 1), 0};
};

TEST_F(DealingTest, EachRecordGoesToOneConsumerInTurn) {
  deal_all({"a", "b", "c", "d", "e"});
  EXPECT_EQ(take_all(first_), (Texts{"a", "c", "e"}));
  EXPECT_EQ(take_all(second_), (Texts{"b", "d"}));
}

TEST_F(DealingTest, ARecordSaysItsNumberSequenceAndThatItClosesARegion) {
  deal_all({"a", "b"});
  const Record* record = second_.try_peek();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->kind, RecordKind::item);
  EXPECT_EQ(record->number, 1U);
  EXPECT_EQ(record->sequence, 1U);
  EXPECT_EQ(record->closes, 1);
}

TEST_F(DealingTest, WhatClosesRowsAlreadyClosesOneMore) {
  ASSERT_TRUE(put(sut_, "a"));
  sut_.set_closes(2);
  ASSERT_TRUE(sut_.try_mark(RecordKind::tombstone, {}, 1));
  sut_.commit({.inputs_done = 1});
  EXPECT_EQ(first_.try_peek()->closes, 3);
  EXPECT_EQ(second_.try_peek()->kind, RecordKind::tombstone);
  EXPECT_EQ(second_.try_peek()->closes, 2);
}

TEST_F(DealingTest, TheEndIsForAll) {
  deal_all({"a"});
  end();
  EXPECT_EQ(take(first_), "a");
  for (RingReader* reader : {&first_, &second_}) {
    ASSERT_NE(reader->try_peek(), nullptr);
    EXPECT_EQ(reader->try_peek()->kind, RecordKind::end);
    EXPECT_EQ(reader->try_peek()->closes, 0);
  }
}

TEST_F(DealingTest, ARunGoesToOneConsumerAndItsLastItemCloses) {
  ASSERT_EQ(put_run(sut_, Texts{"a", "b", "c"}), 3U);
  ASSERT_EQ(put_run(sut_, Texts{"d", "e"}, {.sequence = 3}), 2U);
  sut_.commit({.inputs_done = 5});
  std::vector<int> closes;
  while (const Record* record = first_.try_peek()) {
    closes.push_back(record->closes);
    first_.advance();
  }
  EXPECT_EQ(closes, (std::vector<int>{0, 0, 1}));
  const FoundItems found = second_.try_items(1, 512, kAll);
  EXPECT_EQ(found.items, 2U);
  EXPECT_EQ(found.sequence, 3U);
  EXPECT_EQ(found.closes, 1);
  EXPECT_EQ(second_.try_items(1, 1, kAll).closes, 0) << "it is not the last one";
}

TEST_F(DealingTest, LargeItemsOfOthersAreSteppedOver) {
  for (std::uint64_t round = 0; round < 50; ++round) {
    ASSERT_TRUE(put_and_commit(sut_, payload_of(2 * round, 10'000))) << round;
    ASSERT_TRUE(put_and_commit(sut_, payload_of(2 * round + 1, 10'000))) << round;
    EXPECT_EQ(take(first_), payload_of(2 * round, 10'000));
    EXPECT_EQ(take(second_), payload_of(2 * round + 1, 10'000));
    EXPECT_EQ(first_.try_peek(), nullptr);
    first_.release();
    second_.release();
  }
}

TEST_F(DealingTest, ASuccessorOfTheProducerGoesOnWithTheNextConsumer) {
  deal_all({"a", "b", "c"});
  ASSERT_TRUE(put(sut_, "lost"));  // not committed
  RingWriter successor(segment_.map_producer(0));
  ASSERT_TRUE(put_and_commit(successor, "d"));
  EXPECT_EQ(take_all(first_), (Texts{"a", "c"}));
  EXPECT_EQ(take_all(second_), (Texts{"b", "d"}));
}

TEST_F(DealingTest, WhatIsRolledBackIsDealtAgainToTheSame) {
  deal_all({"a"});
  ASSERT_TRUE(put(sut_, "no"));
  sut_.rollback();
  deal_all({"b", "c"});
  EXPECT_EQ(take_all(first_), (Texts{"a", "c"}));
  EXPECT_EQ(take_all(second_), Texts{"b"});
}

TEST_F(DealingTest, ASuccessorGoesOnBehindItsLastOwnRecord) {
  deal_all({"a", "b", "c", "d", "e"});
  EXPECT_EQ(take(first_), "a");
  EXPECT_EQ(take(first_), "c");
  RingReader again = successor(0, 3);  // killed between the commit of c and its release
  EXPECT_EQ(take_all(again), Texts{"e"});
}

TEST_F(DealingTest, ASuccessorFindsReleasedWhatWasForOthers) {
  deal_all({"a", "b"});
  EXPECT_EQ(take(first_), "a");
  EXPECT_EQ(first_.try_peek(), nullptr);
  first_.release();  // b too, which is not in its journal
  RingReader at_the_end = successor(0, 1);
  EXPECT_EQ(at_the_end.try_peek(), nullptr);
  EXPECT_EQ(at_the_end.next_number(), 2U);
  deal_all({"c", "d"});
  RingReader in_front_of_more = successor(0, 1);
  EXPECT_EQ(take_all(in_front_of_more), Texts{"c"});
}

TEST_F(DealingTest, ASuccessorDoesNotTakeWhatItFindsForItsLastOwnRecord) {
  deal_all({"a", "b", "c"});
  EXPECT_EQ(take(first_), "a");
  EXPECT_THROW(successor(0, 2), LinkCorrupt) << "record 1 is not its own, so it cannot have done it";
}

TEST_F(DealingTest, TheProducerHasRoomOnceOthersHaveSteppedOver) {
  std::uint64_t written = 0;
  while (put_and_commit(sut_, payload_of(written, 200))) {
    ++written;
  }
  take_all(first_);
  first_.release();
  EXPECT_FALSE(put_and_commit(sut_, payload_of(0, 200))) << "the second has not stepped over what is the first one's";
  EXPECT_EQ(take(second_), payload_of(1, 200));
  second_.release();
  EXPECT_TRUE(put_and_commit(sut_, payload_of(0, 200)));
}

TEST_F(DealingTest, ARecordForAConsumerThatThereIsNotIsDamage) {
  deal_all({"a"});
  const ProducerEnd end = segment_.map_producer(0);
  end.ring[8 + 7] = std::byte{0x7f};  // the high bits of the sequence word
  EXPECT_THROW(first_.try_peek(), LinkCorrupt);
}

TEST_F(DealingTest, ARecordThatIsDealtOnALinkThatDoesNotDealIsDamage) {
  Link link;
  ASSERT_TRUE(put(link.sut, "a"));
  link.commit();
  const ProducerEnd end = link.segment.map_producer(0);
  end.ring[6] |= std::byte{0x80};  // the kind
  EXPECT_THROW(link.reader.try_peek(), LinkCorrupt);
}

TEST_F(DealingTest, AJournalThatDealsToAConsumerThatThereIsNotIsDamage) {
  deal_all({"a"});
  const ProducerEnd end = segment_.map_producer(0);
  for (JournalEntry& entry : end.own->journal) {
    entry.flags |= 0x70 << kJournalDealShift;
  }
  EXPECT_THROW(RingWriter(segment_.map_producer(0)), LinkCorrupt);
}

constexpr std::uint64_t kItems = 3000;

/// Takes what is dealt to it, and releases each item, until the end.
void consume(const Segment& segment, std::uint32_t index) {
  RingReader reader(segment.map_consumer(0, index), 0);
  for (std::uint64_t next = index;; next += segment.link(0).consumers) {
    const Record* record = reader.try_peek();
    while (record == nullptr) {
      reader.release();
      reader.wait(0, kForEver);
      record = reader.try_peek();
    }
    if (record->kind == RecordKind::end && next >= kItems) {
      return;
    }
    if (!record->is_item() || record->sequence != next) {
      throw std::runtime_error("expected item " + std::to_string(next));
    }
    reader.advance();
    reader.release();
  }
}

/// Commits each item, or, as a worker does with fast stages, only what it has once it finds no room.
void produce(const Segment& segment, bool commits_each) {
  RingWriter ring(segment.map_producer(0));
  const auto commit = [&](std::uint64_t items) {
    if (ring.has_uncommitted()) {
      ring.commit({.inputs_done = items});
    }
  };
  for (std::uint64_t i = 0; i < kItems; ++i) {
    while (!put(ring, payload_of(i, i % 300), {.sequence = i})) {
      commit(i);
      ring.wait(0, kForEver);
    }
    if (commits_each) {
      commit(i + 1);
    }
  }
  while (!ring.try_mark(RecordKind::end, {})) {
    commit(kItems);
    ring.wait(0, kForEver);
  }
  commit(kItems);
}

/// Each side in a process of its own; only wake-ups of the protocol end a sleep.
void expect_all_come_to_their_end(const Segment& segment, bool commits_each) {
  std::vector<std::unique_ptr<Child>> all;
  for (std::uint32_t i = 0; i < segment.link(0).consumers; ++i) {
    all.push_back(std::make_unique<Child>([&segment, i] { consume(segment, i); }));
  }
  all.push_back(std::make_unique<Child>([&] { produce(segment, commits_each); }));
  for (const auto& child : all) {
    EXPECT_EQ(child->wait(), 0);
  }
}

TEST_F(DealingTest, TheEndWakesAll) {
  expect_all_come_to_their_end(segment_, true);
}

TEST_F(DealingTest, AProducerThatCommitsWhenItHasNoRoomWakesAll) {
  expect_all_come_to_their_end(segment_, false);
}

struct OneItemDealingTest : DealingTest {
  OneItemDealingTest() : DealingTest({.items_limit = 1}) {}
};

TEST_F(OneItemDealingTest, AProducerWithoutRoomWakesThoseThatHaveToStepOver) {
  expect_all_come_to_their_end(segment_, true);
}

/// Two items fill the link, and are not for the first of the three, which sleeps in front of them.
TEST(DealingToThreeTest, ACommitThatFillsTheLinkIsNoReasonToSleepBehindOneThatStepsOver) {
  const Segment segment = Segment::create({.workers = {{}, {}, {}, {}},
                                           .links = {{.consumers = {1, 2, 3},
                                                      .ring_bytes = 4096,
                                                      .item_limit = 64 * 1024,
                                                      .items_limit = 2,
                                                      .sharing = Sharing::turn}},
                                           .plan = "{}"});
  expect_all_come_to_their_end(segment, false);
}

}  // namespace
}  // namespace pystream::shm
