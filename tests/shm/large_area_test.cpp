#include "shm/large_area.hpp"

#include "support/link.hpp"

namespace pystream::shm {
namespace {

using namespace pystream::test;

constexpr std::uint64_t kArea = 64 << 10;

/// An area whose payloads are released one by one, oldest first.
class LargeAreaTest : public ::testing::Test {
 protected:
  /// Takes room for a payload as the writer does; its offset in the area, or nothing if there is no room.
  std::optional<std::uint64_t> add(std::size_t size) {
    if (!sut_.has_room(size, freed_)) {
      return std::nullopt;
    }
    const std::uint64_t position = sut_.choose(size, freed_);
    sut_.prepare(position, size)[size - 1] = std::byte{1};
    taken_.push_back(sut_.take(position, size));
    return position % kArea;
  }
  void release_oldest() {
    freed_.large_position = taken_.front().position + round_up(taken_.front().size, kLine);
    freed_.large_ordinal = taken_.front().ordinal + 1;
    taken_.erase(taken_.begin());
  }

  const Segment segment_ = make_link({.item_limit = kArea});
  const ProducerEnd end_ = segment_.map_producer(0);
  const ProducerCheck check_{0, *end_.own};
  LargeArea sut_{end_, check_};
  Freed freed_;
  std::vector<LargePayload> taken_;
};

TEST_F(LargeAreaTest, PayloadsLieOneBehindAnother) {
  EXPECT_EQ(add(1000), 0U);
  EXPECT_EQ(add(1000), 1024U);
  EXPECT_EQ(taken_[1].ordinal, 1U);
  EXPECT_FALSE(sut_.is_free(freed_));
}

TEST_F(LargeAreaTest, WhatIsNotReleasedIsNotOverwritten) {
  ASSERT_EQ(add(40'000), 0U);
  EXPECT_EQ(add(40'000), std::nullopt);
  release_oldest();
  EXPECT_TRUE(sut_.is_free(freed_));
  EXPECT_EQ(add(kArea), 0U);
}

TEST_F(LargeAreaTest, ItGoesToTheFrontWhereThatSavesNewMemory) {
  ASSERT_EQ(add(20'000), 0U);
  ASSERT_EQ(add(4'000), 20'096U);
  release_oldest();
  EXPECT_EQ(add(10'000), 0U);
  EXPECT_LT(end_.own->populated, 30'000U);
}

TEST_F(LargeAreaTest, AJumpThatIsRolledBackLeavesNoGap) {
  ASSERT_EQ(add(20'000), 0U);
  ASSERT_EQ(add(4'000), 20'096U);
  const std::uint64_t head = sut_.head();
  const std::uint64_t ordinal = sut_.ordinal();
  release_oldest();
  ASSERT_EQ(add(10'000), 0U);
  sut_.rollback_to(head, ordinal);
  taken_.pop_back();
  EXPECT_EQ(add(30'000), head) << "not at the front: it is larger than what is free there";
  release_oldest();
  EXPECT_EQ(add(kArea - 20'000), std::nullopt) << "over what is not released";
}

TEST_F(LargeAreaTest, MemoryThatNobodyCanHaveGivenIsDamage) {
  end_.own->populated = 100;
  EXPECT_THROW(LargeArea(end_, check_), LinkCorrupt);
  end_.own->populated = 2 * kArea;
  EXPECT_THROW(LargeArea(end_, check_), LinkCorrupt);
}

}  // namespace
}  // namespace pystream::shm
