#include "worker/batch_sizer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace pystream::worker {
namespace {

constexpr std::int64_t kUnknown = 1'000'000;
constexpr std::int64_t kFast = 10;
constexpr std::int64_t kLong = 50'000;

/// The stage sleeps: the thread gives up its core by itself.
void wait_a_little() {
  std::this_thread::sleep_for(std::chrono::microseconds(50));
}
/// Until the items share commits; how many went one by one.
std::uint32_t items_until_shared(BatchSizer& sizer) {
  std::uint32_t items = 0;
  while (sizer.batch() == 1 && items < 1'000'000) {
    sizer.note(1, kFast);
    ++items;
  }
  return items;
}

TEST(BatchSizerTest, TheFirstItemsGoOneByOne) {
  BatchSizer sut(kUnknown, false);
  EXPECT_EQ(sut.batch(), 1U);
  EXPECT_TRUE(sut.slow());
  EXPECT_GT(items_until_shared(sut), 100U);
  EXPECT_FALSE(sut.slow());
}

TEST(BatchSizerTest, FastItemsShareACommit) {
  BatchSizer sut(kFast, false);
  EXPECT_GT(sut.batch(), 100U);
  EXPECT_LE(sut.batch(), BatchSizer::kLargestBatch);
}

TEST(BatchSizerTest, SlowItemsDoNot) {
  BatchSizer sut(kFast, false);
  for (int i = 0; i < 1000; ++i) {
    sut.note(1, kLong);
  }
  EXPECT_EQ(sut.batch(), 1U);
  EXPECT_TRUE(sut.slow());
}

TEST(BatchSizerTest, StateIsCommittedWithEveryItem) {
  const BatchSizer sut(kFast, true);
  EXPECT_EQ(sut.batch(), 1U);
}

TEST(BatchSizerTest, AStageThatWaitsHasItsItemsCommittedOneByOneForAWhile) {
  BatchSizer sut(kFast, false);
  wait_a_little();
  sut.note(100, kLong);
  EXPECT_EQ(sut.batch(), 1U);
  EXPECT_GT(items_until_shared(sut), 100U);
}

TEST(BatchSizerTest, TheWhileGetsLongerEachTimeItWasTooShort) {
  BatchSizer sut(kFast, false);
  wait_a_little();
  sut.note(100, kLong);
  const std::uint32_t first = items_until_shared(sut);
  wait_a_little();
  sut.note(100, kLong);
  EXPECT_GT(items_until_shared(sut), first);
}

TEST(BatchSizerTest, ItsOwnWorkersSleepIsNotTheStages) {
  BatchSizer sut(kFast, false);
  wait_a_little();
  sut.note_own_sleep();
  sut.note_several();
  sut.note(100, kLong);
  EXPECT_GT(sut.batch(), 1U);
}

TEST(BatchSizerTest, AStageThatWaitsBehindItsWorkersOwnSleepIsSeen) {
  BatchSizer sut(kFast, false);
  wait_a_little();
  sut.note_own_sleep();
  sut.note_several();
  wait_a_little();
  sut.note(100, kLong);
  EXPECT_EQ(sut.batch(), 1U);
}

TEST(BatchSizerTest, ALongBatchOfManyItemsIsNoWait) {
  BatchSizer sut(kFast, false);
  wait_a_little();
  sut.note(4 * BatchSizer::kLargestBatch, kFast * 4 * BatchSizer::kLargestBatch);
  EXPECT_GT(sut.batch(), 1U);
}

TEST(BatchSizerTest, TheItemsOfACommitTakeAsLongAsTheLastFlush) {
  constexpr std::int64_t kItem = 900;
  BatchSizer sut(kItem, false);
  const std::uint32_t without = sut.batch();
  sut.note_flush(1'000'000);
  EXPECT_GT(sut.batch(), 40 * without);
  EXPECT_LE(sut.batch(), BatchSizer::kLargestBatch);
  sut.note_flush(1'000);  // a file: nothing changes
  EXPECT_EQ(sut.batch(), without);
}

TEST(BatchSizerTest, AFlushThatSleepsIsNoWaitOfTheStage) {
  BatchSizer sut(kFast, false);
  wait_a_little();
  sut.note_flush(1'000'000);
  sut.note(100, kLong);
  EXPECT_GT(sut.batch(), 1U);
}

TEST(BatchSizerTest, WhoseWaitItWasIsNotGuessed) {
  BatchSizer sut(kFast, false);
  sut.note_several();
  sut.note_own_sleep();
  wait_a_little();
  sut.note(100, kLong);
  EXPECT_GT(sut.batch(), 1U);
}

}  // namespace
}  // namespace pystream::worker
