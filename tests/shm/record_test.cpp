#include <gtest/gtest.h>

#include "shm/record_abi.hpp"

namespace pystream::shm {
namespace {

TEST(RecordTest, TheHeaderWordHoldsNumberKindAndCloses) {
  const std::uint64_t number = 0x8123456789abU;
  const std::uint64_t sut = pack_header_word(number, RecordKind::tombstone, 0xfe);
  EXPECT_EQ(sut, 0xfe038123456789abU);
  EXPECT_EQ(number_in(sut), number);
  EXPECT_EQ(kind_in(sut), RecordKind::tombstone);
  EXPECT_EQ(closes_in(sut), 0xfe);
}

TEST(RecordTest, NumbersAreComparedModulo48Bits) {
  const std::uint64_t number = (std::uint64_t{5} << 48) + 7;
  const std::uint64_t sut = pack_header_word(number, RecordKind::item, 0);
  EXPECT_EQ(number_in(sut), 7U);
  EXPECT_TRUE(has_number(sut, number));
  EXPECT_FALSE(has_number(sut, number + 1));
}

TEST(RecordTest, ARecordIsAHeaderAndItsPayloadAligned) {
  EXPECT_EQ(record_bytes(0), 32U);
  EXPECT_EQ(record_bytes(1), 48U);
  EXPECT_EQ(record_bytes(16), 48U);
}

TEST(RecordTest, PositionsInALargeAreaMayPassTheLargestNumber) {
  EXPECT_TRUE(not_behind(5, 5));
  EXPECT_TRUE(not_behind(~std::uint64_t{0}, 3));
  EXPECT_FALSE(not_behind(3, ~std::uint64_t{0}));
}

}  // namespace
}  // namespace pystream::shm
