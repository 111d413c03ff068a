#include "worker/unit_sizer.hpp"

#include <gtest/gtest.h>

namespace pystream::worker {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TEST(UnitSizerTest, BeginsWithSingleItems) {
  EXPECT_EQ(UnitSizer(2).items(), 1U);
}

TEST(UnitSizerTest, AUnitKeepsAReplicaBusyForAShortWhile) {
  UnitSizer sut(2);
  sut.note(10 * kMs, 0);
  sut.note(11 * kMs, 10'000);  // two replicas, 200 ns an item each
  EXPECT_EQ(sut.items(), 100U);
  sut.note(12 * kMs, 10'001);
  EXPECT_EQ(sut.items(), 1U);
  sut.note(13 * kMs, 20'000'000);
  EXPECT_EQ(sut.items(), shm::kMostInRun);
}

TEST(UnitSizerTest, LooksSeldom) {
  UnitSizer sut(1);
  sut.note(10 * kMs, 0);
  sut.note(10 * kMs + kMs / 2, 1'000'000);
  EXPECT_EQ(sut.items(), 1U);
}

}  // namespace
}  // namespace pystream::worker
