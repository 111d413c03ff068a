#include "profile/link_figures.hpp"

#include "base/clock.hpp"
#include "support/link.hpp"

namespace pystream::profile {
namespace {

using namespace pystream::test;
using shm::ProducerEnd;

class LinkFiguresTest : public ::testing::Test {
 protected:
  LinkFigures figures(const Link& link) const { return read_link(link.segment, link.segment.map_supervisor(), 0); }
  static void fill(Link& link, std::uint64_t items, std::size_t size = 1, std::int64_t entered_ns = 0) {
    for (std::uint64_t i = 0; i < items; ++i) {
      ASSERT_TRUE(put(link.sut, std::string(size, 'x'), {.sequence = i, .entered_ns = entered_ns}));
    }
    link.commit();
  }
};

TEST_F(LinkFiguresTest, AnEmptyLinkHoldsNothing) {
  const Link link;
  const LinkFigures sut = figures(link);
  EXPECT_EQ(sut.fill_items, 0U);
  EXPECT_EQ(sut.fill, 0);
  EXPECT_EQ(sut.oldest_ns, 0);
}

TEST_F(LinkFiguresTest, FillIsOfTheLimitThatTheProducerMeetsFirst) {
  Link bytes;
  fill(bytes, 16, 30);  // records of 64 bytes
  EXPECT_DOUBLE_EQ(figures(bytes).fill, 0.25);
  Link items({.items_limit = 20});
  fill(items, 15);
  EXPECT_DOUBLE_EQ(figures(items).fill, 0.75);
  Link time({.time_limit_ns = 100'000'000});
  fill(time, 4);
  EXPECT_DOUBLE_EQ(figures(time).fill, 0.5) << "eight are allowed at first";
  Link large({.large_limit = 4});
  fill(large, 2, 10'000);
  EXPECT_DOUBLE_EQ(figures(large).fill, 0.5);
}

TEST_F(LinkFiguresTest, ALinkWhoseProducerWaitsForRoomIsFull) {
  Link link;
  fill(link, 16, 30);
  const ProducerEnd end = link.segment.map_producer(0);
  end.own->asleep_at[0] = 1;
  EXPECT_DOUBLE_EQ(figures(link).fill, 1);
  link.segment.map_worker(0).page->phase = static_cast<std::uint32_t>(shm::Phase::waiting);
  EXPECT_DOUBLE_EQ(figures(link).fill, 0.25) << "it waits for its own input";
}

TEST_F(LinkFiguresTest, TheOldestItemIsTheOneThatIsReadNext) {
  Link link;
  const std::int64_t now = base::now_ns();
  fill(link, 1, 1, now - 50 * kSecondNs);
  fill(link, 1, 1, now - 20 * kSecondNs);
  EXPECT_GE(figures(link).oldest_ns, 50 * kSecondNs);
  take(link.reader);
  link.reader.release();
  EXPECT_GE(figures(link).oldest_ns, 20 * kSecondNs);
  EXPECT_LT(figures(link).oldest_ns, 45 * kSecondNs);
}

TEST_F(LinkFiguresTest, TheEndHasNoAge) {
  Link link;
  ASSERT_TRUE(link.sut.try_mark(shm::RecordKind::end, {.entered_ns = 1}));
  link.commit();
  EXPECT_EQ(figures(link).oldest_ns, 0);
}

}  // namespace
}  // namespace pystream::profile
