#include "support/link.hpp"

namespace pystream::shm {
namespace {

using namespace pystream::test;

TEST(LargeItemTest, OneAsLargeAsTheAreaFitsAgainAndAgain) {
  Link link({.item_limit = 65'536});
  for (std::uint64_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(put(link.sut, payload_of(i, 65'536 - i))) << i;
    link.commit();
    EXPECT_FALSE(put(link.sut, payload_of(i, 65'536))) << "there is room for one";
    ASSERT_EQ(take(link.reader), payload_of(i, 65'536 - i)) << i;
    link.reader.release();
  }
}

/// A stage may reserve room for its largest result and then emit an empty one.
TEST(LargeItemTest, ReservedAndLeftEmptyIsAnEmptyItem) {
  Link link({.item_limit = 65'536});
  for (int i = 0; i < 3; ++i) {
    ASSERT_NE(link.sut.try_reserve(60'000), nullptr);
    link.sut.finish(0, {});
    ASSERT_TRUE(put(link.sut, payload_of(1, 65'000))) << "it takes no room in the large area";
    link.commit();
    EXPECT_EQ(take(link.reader), "");
    EXPECT_EQ(take(link.reader), payload_of(1, 65'000));
    link.reader.release();
  }
}

TEST(LargeItemTest, IsLimitedInNumber) {
  Link link({.item_limit = 1 << 20, .large_limit = 2});
  ASSERT_TRUE(put(link.sut, payload_of(0, 1000)));
  ASSERT_TRUE(put(link.sut, payload_of(1, 1000)));
  EXPECT_FALSE(put(link.sut, payload_of(2, 1000)));
  EXPECT_TRUE(put(link.sut, "small ones pass"));
  link.commit();
  take(link.reader);
  link.reader.release();
  EXPECT_TRUE(put(link.sut, payload_of(2, 1000)));
  EXPECT_FALSE(put(link.sut, payload_of(3, 1000)));
}

TEST(LargeItemTest, AConsumerThatKeepsUpStaysInTheSameLargePages) {
  Link link({.item_limit = 1 << 20});
  const std::byte* first = nullptr;
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(put(link.sut, payload_of(i, 50'000)));
    link.commit();
    const std::byte* data = link.reader.try_peek()->payload.data();
    first = first == nullptr ? data : first;
    EXPECT_EQ(data, first);
    take(link.reader);
    link.reader.release();
  }
}

/// A large item went through, so that there is room, and memory, at the front of the large area.
void pass_a_large_item(Link& link, std::size_t size) {
  ASSERT_TRUE(put(link.sut, payload_of(0, size)));
  link.commit();
  ASSERT_TRUE(take(link.reader));
  link.reader.release();
}

TEST(LargeItemTest, RoomForItIsNoneForItsRecord) {
  Link link;  // 4096 bytes: 128 records of 32
  pass_a_large_item(link, 5000);
  for (int i = 0; i < 128; ++i) {
    ASSERT_TRUE(put(link.sut, "")) << i;
  }
  EXPECT_FALSE(put(link.sut, payload_of(1, 5000)));
  link.commit();
  EXPECT_EQ(take_all(link.reader), std::vector<std::string>(128));
}

TEST(LargeItemTest, CountsForTheLimitOfItems) {
  Link link({.items_limit = 2});
  pass_a_large_item(link, 5000);
  ASSERT_TRUE(put(link.sut, "1"));
  ASSERT_TRUE(put(link.sut, payload_of(1, 5000)));
  EXPECT_FALSE(put(link.sut, payload_of(2, 5000)));
  link.sut.rollback();
  ASSERT_TRUE(put(link.sut, "1"));
  ASSERT_TRUE(put(link.sut, "2"));
  EXPECT_FALSE(put(link.sut, payload_of(1, 5000)));
}

TEST(LargeItemTest, AtTheFrontThereIsMemoryBeforeALargerOneIsWritten) {
  Link link;
  pass_a_large_item(link, 5000);
  ASSERT_NE(link.sut.try_reserve(50'000), nullptr);
  EXPECT_GE(link.segment.map_producer(0).own->populated.load(), 50'000U);
}

/// Each item that begins at the front again takes a lap of positions, so that they may pass 2^64.
TEST(LargeItemTest, PositionsMayPassTheLargestNumber) {
  for (const Overflow overflow : {Overflow::block, Overflow::drop_oldest}) {
    const Segment segment = make_link({.item_limit = 65'536, .large_limit = 4, .overflow = overflow});
    const ProducerEnd producer = segment.map_producer(0);
    const std::uint64_t start = 0 - 5 * producer.link.large_bytes;  // three items pass it together
    producer.own->journal[0].large_position = start;
    segment.map_consumer(0).own->large_released.store(start);
    RingWriter sut(segment.map_producer(0));
    RingReader reader(segment.map_consumer(0), 0);
    for (std::uint64_t i = 0; i < 50; ++i) {
      const std::size_t items = 1 + i % 3;
      for (std::size_t k = 0; k < items; ++k) {
        ASSERT_TRUE(put(sut, payload_of(i + k, 20'000))) << i;
      }
      sut.rollback();
      for (std::size_t k = 0; k < items; ++k) {
        ASSERT_TRUE(put(sut, payload_of(i + k, 20'000))) << i;
      }
      sut.commit({.inputs_done = sut.next_number()});
      for (std::size_t k = 0; k < items; ++k) {
        ASSERT_EQ(take(reader), payload_of(i + k, 20'000)) << i;
        reader.release();
      }
    }
    EXPECT_LT(sut.journal().large_position, start) << "they did not pass it";
  }
}

TEST(LargeItemTest, OnALinkThatDropsOnlyTheProducerSaysWhatIsFree) {
  Link link({.large_limit = 4, .overflow = Overflow::drop_oldest});
  ASSERT_TRUE(put(link.sut, payload_of(0, 5000)));
  link.commit();
  link.segment.map_consumer(0).own->large_ordinal.store(1);
  ASSERT_TRUE(put(link.sut, payload_of(1, 5000)));
  EXPECT_EQ(take(link.reader), payload_of(0, 5000));
}

TEST(LargeItemTest, OneBehindAlternatesInTheFrontOfTheLargeArea) {
  Link link({.item_limit = 1 << 20});
  ASSERT_TRUE(put(link.sut, payload_of(0, 50'000)));
  link.commit();
  const ProducerEnd end = link.segment.map_producer(0);
  for (std::uint64_t i = 1; i < 100; ++i) {
    ASSERT_TRUE(put(link.sut, payload_of(i, 50'000)));
    link.commit();
    ASSERT_EQ(take(link.reader), payload_of(i - 1, 50'000));
    link.reader.release();
  }
  EXPECT_LE(end.own->populated.load(), 160'000U) << "no more memory than three items take";
}

/// To begin at the front again leaves a gap in the positions, which is no memory that is in use.
TEST(LargeItemTest, BehindAnItemAtTheFrontTheWholeLargeAreaHasRoom) {
  Link link({.item_limit = 1 << 20, .large_limit = 9});
  pass_a_large_item(link, 300'000);
  for (int times = 0; times < 2; ++times) {
    for (std::uint64_t i = 1; i <= 3; ++i) {
      EXPECT_TRUE(put(link.sut, payload_of(i, 300'000))) << i;
    }
    EXPECT_FALSE(put(link.sut, payload_of(4, 300'000)));
    if (times == 0) {
      link.sut.rollback();  // and it goes to the front once more
    }
  }
  link.commit();
  EXPECT_EQ(take_all(link.reader),
            (std::vector{payload_of(1, 300'000), payload_of(2, 300'000), payload_of(3, 300'000)}));
}

/// What was rolled back began at the front; what is written instead does not.
TEST(LargeItemTest, ARolledBackItemAtTheFrontFreesNothing) {
  Link link({.item_limit = 1 << 20, .large_limit = 9});
  ASSERT_TRUE(put(link.sut, payload_of(0, 300'000)));
  ASSERT_TRUE(put(link.sut, payload_of(1, 300'000)));
  link.commit();
  ASSERT_TRUE(take(link.reader));
  link.reader.release();
  ASSERT_TRUE(put(link.sut, payload_of(2, 300'000)));
  link.sut.rollback();
  ASSERT_TRUE(put(link.sut, payload_of(3, 310'000)));
  link.commit();
  ASSERT_TRUE(take(link.reader));
  link.reader.release();
  EXPECT_FALSE(put(link.sut, payload_of(4, 700'000))) << "over what is not read yet";
  EXPECT_EQ(take(link.reader), payload_of(3, 310'000));
}

}  // namespace
}  // namespace pystream::shm
