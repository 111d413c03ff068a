#include "shm/eviction.hpp"

#include "support/link.hpp"

namespace pystream::shm {
namespace {

using namespace pystream::test;

TEST(EvictionTest, ItTakesWholeRecordsOldestFirst) {
  Link link({.overflow = Overflow::drop_oldest});
  ASSERT_TRUE(put(link.sut, payload_of(0, 100)));
  ASSERT_TRUE(put(link.sut, payload_of(1, 5000)));
  link.commit();
  const ProducerEnd end = link.segment.map_producer(0);
  const ProducerCheck check(0, *end.own);
  const Written written = link.sut.mark();
  Eviction sut(*end.own, {.data = end.ring, .mask = end.link.ring_bytes - 1});
  Freed freed = sut.find_tail(written, check);
  EXPECT_EQ(freed.position, 0U);
  EXPECT_EQ(freed.done_number, 0U);
  EXPECT_EQ(freed.large_ordinal, 0U);
  sut.evict_oldest(freed, written, written.position, check);
  EXPECT_EQ(end.own->tail_position, record_bytes(100));
  EXPECT_EQ(freed.done_number, 1U);
  sut.evict_oldest(freed, written, written.position, check);
  EXPECT_EQ(freed.position, written.position);
  EXPECT_EQ(freed.large_position, written.large_position);
  EXPECT_EQ(freed.done_large, 1U);
  EXPECT_EQ(sut.find_tail(written, check).done_number, 2U) << "after a restart";
}

TEST(EvictionTest, ATailOutsideWhatWasWrittenIsDamage) {
  Link link({.overflow = Overflow::drop_oldest});
  const ProducerEnd end = link.segment.map_producer(0);
  end.own->tail_position = 32;
  const Eviction sut(*end.own, {.data = end.ring, .mask = end.link.ring_bytes - 1});
  EXPECT_THROW(sut.find_tail(link.sut.mark(), {0, *end.own}), LinkCorrupt);
}

}  // namespace
}  // namespace pystream::shm
