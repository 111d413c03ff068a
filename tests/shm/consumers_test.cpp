#include "shm/consumers.hpp"

#include "support/child.hpp"
#include "support/link.hpp"

/// Links with two consumers that both take every item.
namespace pystream::shm {
namespace {

using namespace pystream::test;

constexpr std::int64_t kForEver = 60 * kSecondNs;

Segment make_fan(LinkSize size = {}) {
  size.consumers = {1, 2};
  size.ring_bytes = 4096;
  size.item_limit = 64 * 1024;
  return Segment::create({.workers = {{}, {}, {}}, .links = {size}, .plan = "{}"});
}

class ConsumersTest : public ::testing::Test {
 protected:
  explicit ConsumersTest(const LinkSize& size = {}) : segment_(make_fan(size)) {}

  void feed(std::uint64_t number, std::size_t size = 32) {
    ASSERT_TRUE(put(sut_, payload_of(number, size), {.sequence = number})) << number;
    sut_.commit({.inputs_done = number + 1});
  }

  const Segment segment_;
  RingWriter sut_{segment_.map_producer(0)};
  RingReader first_{segment_.map_consumer(0, 0), 0};
  RingReader second_{segment_.map_consumer(0, 1), 0};
};

TEST_F(ConsumersTest, BothTakeEveryItemInOrder) {
  std::vector<std::string> items;
  for (std::uint64_t i = 0; i < 10; ++i) {
    items.push_back(payload_of(i, i * 25));
    ASSERT_TRUE(put(sut_, items.back()));
  }
  sut_.commit({.inputs_done = 10});
  EXPECT_EQ(take_all(first_), items);
  EXPECT_EQ(take_all(second_), items);
}

TEST_F(ConsumersTest, FreeIsWhatBothHaveReleased) {
  std::uint64_t written = 0;
  while (put(sut_, payload_of(written, 32))) {
    ++written;
  }
  sut_.commit({.inputs_done = written});
  take_all(first_);
  first_.release();
  EXPECT_FALSE(put(sut_, payload_of(0, 32))) << "the second has not read it";
  EXPECT_FALSE(sut_.empty());
  EXPECT_EQ(sut_.items_inside(), written);
  EXPECT_EQ(take(second_), payload_of(0, 32));
  second_.release();
  EXPECT_TRUE(put(sut_, payload_of(0, 32)));
  EXPECT_FALSE(put(sut_, payload_of(0, 32))) << "one record is free";
  EXPECT_EQ(sut_.items_inside(), written);
}

TEST_F(ConsumersTest, ALargeItemStaysUntilBothHaveReleasedIt) {
  std::uint64_t number = 0;
  for (; number < 4; ++number) {
    feed(number, 10'000);
  }
  EXPECT_FALSE(put(sut_, payload_of(number, 10'000))) << "four at once";
  take_all(second_);
  second_.release();
  EXPECT_FALSE(put(sut_, payload_of(number, 10'000)));
  for (int round = 0; round < 50; ++round) {
    EXPECT_EQ(take(first_), payload_of(number - 4, 10'000));
    first_.release();
    ASSERT_NO_FATAL_FAILURE(feed(number++, 10'000));
    EXPECT_EQ(take(second_), payload_of(number - 1, 10'000));
    second_.release();
  }
}

struct TwoItems : ConsumersTest {
  TwoItems() : ConsumersTest({.items_limit = 2}) {}
};

TEST_F(TwoItems, TheLimitOfItemsHoldsForTheSlowerOne) {
  feed(0);
  feed(1);
  take_all(first_);
  first_.release();
  EXPECT_FALSE(put(sut_, "x"));
  take(second_);
  second_.release();
  EXPECT_TRUE(put(sut_, "x"));
  EXPECT_FALSE(put(sut_, "x"));
}

TEST_F(ConsumersTest, TheProducerWaitsForTheOneThatLeavesNoRoom) {
  while (put(sut_, payload_of(0, 32))) {
  }
  sut_.commit({.inputs_done = 1});
  const ProducerEnd end = segment_.map_producer(0);
  take_all(first_);
  first_.release();
  EXPECT_FALSE(put(sut_, payload_of(0, 32)));
  EXPECT_EQ(sut_.room().seen, end.peers[1]->releases);
  EXPECT_FALSE(sut_.room().changed());
  first_.release();
  EXPECT_FALSE(sut_.room().changed()) << "it is not the first one that leaves no room";
  take_all(second_);
  second_.release();
  EXPECT_TRUE(sut_.room().changed());
}

TEST_F(ConsumersTest, ASuccessorFindsTheLeastOfBoth) {
  for (std::uint64_t i = 0; i < 3; ++i) {
    feed(i);
  }
  take_all(second_);
  second_.release();
  RingWriter successor(segment_.map_producer(0));
  EXPECT_EQ(successor.items_inside(), 3U);
  std::uint64_t more = 0;
  while (put(successor, payload_of(0, 32))) {
    ++more;
  }
  EXPECT_EQ(more, 61U) << "64 records of 64 bytes are in the ring";
  RingReader reader(segment_.map_consumer(0, 0), 2);
  EXPECT_EQ(take(reader), payload_of(2, 32)) << "its own inputs are done, whatever the other did";
}

TEST_F(ConsumersTest, ADamagedConsumerPageIsSeenThoughItIsNotTheLeast) {
  segment_.map_consumer(0, 1).own->read_position = 1 << 20;
  EXPECT_THROW(while (put(sut_, payload_of(0, 100))){}, LinkCorrupt);
}

TEST_F(ConsumersTest, ThereIsNoThirdConsumer) {
  EXPECT_THROW(segment_.map_consumer(0, 2), std::out_of_range);
}

TEST(ConsumersWaitTest, NoWakeUpIsLostBetweenAProducerAndTwoConsumers) {
  const Segment segment = make_fan({.items_limit = 1});
  constexpr std::uint64_t kRounds = 5'000;
  const Deadline deadline{std::chrono::seconds(50)};
  const auto read = [&](std::uint32_t index) {
    RingReader ring(segment.map_consumer(0, index), 0);
    for (std::uint64_t i = 0; i < kRounds;) {
      const Record* record = ring.try_peek();
      if (record == nullptr) {
        ring.wait(0, kForEver);
      } else if (record->sequence != i || text_of(*record) != payload_of(i, 20)) {
        throw std::runtime_error("item " + std::to_string(i) + " is wrong");
      } else {
        ring.advance();
        ring.release();
        ++i;
      }
    }
  };
  Child first([&] { read(0); });
  Child second([&] { read(1); });
  RingWriter ring(segment.map_producer(0));
  for (std::uint64_t i = 0; i < kRounds;) {
    if (put(ring, payload_of(i, 20), {.sequence = i})) {
      ring.commit({.inputs_done = ++i});
    } else {
      ring.wait(0, kForEver);
    }
  }
  EXPECT_EQ(first.wait(), 0);
  EXPECT_EQ(second.wait(), 0);
  EXPECT_FALSE(deadline.passed()) << "a wake-up was lost";
}

/// A consumer dies at any time and a successor takes over; the other one is not affected.
TEST(ConsumersKillTest, AtEveryInstructionOfAReleaseTheOtherConsumerLosesNothing) {
  constexpr std::uint64_t kItems = 6;
  const auto item = [](std::uint64_t i) { return payload_of(i, i % 3 == 0 ? 1000 + 400 * i : 30 * i); };
  LinkSize in{.producer = 0, .consumers = {1, 2}, .ring_bytes = 4096, .item_limit = 20'000, .large_limit = 8};
  LinkSize out{.producer = 1, .consumers = {0}, .ring_bytes = 4096, .item_limit = 20'000};
  const Segment segment = Segment::create({.workers = {{}, {}, {}}, .links = {in, out}, .plan = ""});
  {
    RingWriter producer(segment.map_producer(0));
    for (std::uint64_t i = 0; i < kItems; ++i) {
      ASSERT_TRUE(put(producer, item(i)));
    }
    producer.commit({.inputs_done = kItems});
    RingReader other(segment.map_consumer(0, 1), 0);
    take(other);
    take(other);
    other.release();
  }
  SteppedChild child([&] {
    RingReader reader(segment.map_consumer(0, 0), 0);
    RingWriter journal(segment.map_producer(1));
    step_mark();
    for (std::uint64_t i = 0; i < kItems;) {
      reader.try_peek();
      reader.advance();
      journal.commit_inputs_done(++i);
      reader.release();
    }
    step_mark();
  });
  while (child.step()) {
    const Segment copy = copy_of(segment.fd());
    const std::uint64_t done = RingWriter(copy.map_producer(1)).journal().inputs_done;
    RingReader successor(copy.map_consumer(0, 0), done);
    RingReader other(copy.map_consumer(0, 1), 2);
    RingWriter producer(copy.map_producer(0));
    ASSERT_EQ(producer.items_inside(), kItems - std::min<std::uint64_t>(done, 2)) << "instruction " << child.steps();
    for (std::uint64_t i = 0; i < 3 && put(producer, item(i)); ++i) {  // over what is free
    }
    for (std::uint64_t i = done; i < kItems; ++i) {
      ASSERT_EQ(take(successor), item(i)) << "instruction " << child.steps();
    }
    for (std::uint64_t i = 2; i < kItems; ++i) {
      ASSERT_EQ(take(other), item(i)) << "instruction " << child.steps();
    }
    successor.release();
    other.release();
    ASSERT_TRUE(producer.empty()) << "instruction " << child.steps();
  }
  EXPECT_TRUE(child.reached_end());
}

}  // namespace
}  // namespace pystream::shm
