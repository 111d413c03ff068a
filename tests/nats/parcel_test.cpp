#include "nats/parcel.hpp"

#include <gtest/gtest.h>

#include <random>

#include "nats/log_error.hpp"

namespace pystream::nats {
namespace {

std::vector<std::byte> bytes(const std::string& text) {
  const auto* const data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

std::vector<std::byte> sample() {
  static const auto one = bytes("one");
  static const auto none = bytes("");
  const ParcelHeader header{
      .identity = {.item_type = "image", .plan_hash = "abc"}, .epoch = 7, .from = {3, 2}, .upto = {9, 0}, .end = true};
  return encode_parcel(header, std::vector<ParcelItem>{
                                   {.sequence = 3, .part = 2, .entered_ns = -5, .bytes = one},
                                   {.sequence = 3, .part = 3, .entered_ns = INT64_MAX, .bytes = none},
                                   {.sequence = 8, .part = 0, .entered_ns = INT64_MIN, .bytes = one},
                               });
}

TEST(ParcelTest, DecodesWhatWasEncoded) {
  const auto encoded = sample();
  const Parcel parcel = decode_parcel(encoded);
  EXPECT_EQ(parcel.header.identity.item_type, "image");
  EXPECT_EQ(parcel.header.identity.plan_hash, "abc");
  EXPECT_EQ(parcel.header.epoch, 7U);
  EXPECT_EQ(parcel.header.from, (Position{3, 2}));
  EXPECT_EQ(parcel.header.upto, (Position{9, 0}));
  EXPECT_TRUE(parcel.header.end);
  ASSERT_EQ(parcel.items.size(), 3U);
  EXPECT_EQ(parcel.items[0].entered_ns, -5);
  EXPECT_EQ(parcel.items[1].entered_ns, INT64_MAX);
  EXPECT_EQ(parcel.items[1].part, 3U);
  EXPECT_TRUE(parcel.items[1].bytes.empty());
  EXPECT_EQ(parcel.items[2].entered_ns, INT64_MIN);
  EXPECT_EQ(parcel.items[2].sequence, 8U);
  EXPECT_EQ(parcel.items[2].bytes.size(), 3U);
  EXPECT_EQ(parcel.ends, (std::vector<Position>{{3, 3}, {3, 4}, {8, 1}}));
}

TEST(ParcelTest, EveryCutIsRefused) {
  const auto encoded = sample();
  for (std::size_t size = 0; size < encoded.size(); ++size) {
    // A copy of exactly this size: a sanitizer sees who reads beyond.
    const std::vector<std::byte> cut(encoded.begin(), encoded.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THROW(decode_parcel(cut), LogUnusable) << size;
  }
}

TEST(ParcelTest, AnotherVersionIsNamed) {
  auto encoded = sample();
  encoded[4] = std::byte{9};
  try {
    decode_parcel(encoded);
    FAIL();
  } catch (const LogUnusable& fault) {
    EXPECT_NE(std::string(fault.what()).find("version 9"), std::string::npos) << fault.what();
  }
}

TEST(ParcelTest, ItemsBehindTheEndAreRefused) {
  const auto one = bytes("x");
  const auto encoded =
      encode_parcel({.from = {0, 0}, .upto = {1, 0}}, std::vector<ParcelItem>{{.sequence = 5, .bytes = one}});
  EXPECT_THROW(decode_parcel(encoded), LogUnusable);
}

/// Whatever the bytes are: they are a parcel whose items lie within them, or are refused.
TEST(ParcelTest, DamagedBytesAreRefusedOrHarmless) {
  std::mt19937 random(1);
  const auto encoded = sample();
  std::size_t accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::vector<std::byte> damaged = encoded;
    for (std::size_t n = 1 + random() % 4; n > 0; --n) {
      damaged[random() % damaged.size()] = static_cast<std::byte>(random());
    }
    if (random() % 4 == 0) {
      damaged.resize(random() % (damaged.size() + 8));
    }
    try {
      const Parcel parcel = decode_parcel(damaged);
      ++accepted;
      for (const ParcelItem& item : parcel.items) {
        ASSERT_TRUE(item.bytes.empty() || (item.bytes.data() >= damaged.data() &&
                                           item.bytes.data() + item.bytes.size() <= damaged.data() + damaged.size()));
      }
    } catch (const LogUnusable&) {
    }
  }
  EXPECT_GT(accepted, 0U);
}

}  // namespace
}  // namespace pystream::nats
