#include "profile/recorder.hpp"

#include <gtest/gtest.h>

#include "profile/profile_area.hpp"
#include "support/child.hpp"
#include "support/sanitized.hpp"
#include "support/visits.hpp"

namespace pystream::profile {
namespace {

constexpr std::uint64_t kManyRows = 1'000'000'000;

/// A batch of `items` items that take 100, 101, … ns, committed by a store to `journal`.
void do_batch(Recorder& sut, std::atomic<std::uint64_t>& journal, std::uint64_t items) {
  const std::uint64_t done = journal;
  for (std::uint64_t i = 0; i < items; ++i) {
    sut.sample(0, done + i, done + i, 1'000, 100 + static_cast<std::int64_t>(i), 1);
    sut.add_time(0, 100 + static_cast<std::int64_t>(i));
  }
  sut.add_items(0, items);
  sut.prepare(done + items);
  journal = done + items;
  sut.apply(5'000'000'000);
}

TEST(RecorderTest, CountsWhatWasCommitted) {
  const shm::Segment segment = make_segment(1, 64);
  shm::WorkerEnd end = segment.map_worker(0);
  RowQueue rows(end.profile, true, kManyRows);
  Recorder sut(end.profile.segments[0], end.stats, 0, 2, rows);
  std::atomic<std::uint64_t> journal{0};
  do_batch(sut, journal, 10);
  do_batch(sut, journal, 5);
  EXPECT_EQ(end.stats[0].items, 15U);
  EXPECT_EQ(end.stats[0].samples, 15U);
  EXPECT_EQ(end.stats[0].timed, 15U);
  EXPECT_EQ(end.stats[0].total_ns, 1000U + 45 + 500 + 10);
  EXPECT_EQ(end.stats[0].min_ns, 100U);
  EXPECT_EQ(end.stats[0].max_ns, 109U);
  EXPECT_EQ(sum_of(end.stats[0]), 15U);
  EXPECT_EQ(end.stats[1].items, 0U);
  EXPECT_EQ(end.profile.page->head, 15U);
  EXPECT_EQ(end.profile.rows[14].sequence, 14U);
  EXPECT_EQ(end.profile.rows[14].ns(), 104U);
  EXPECT_EQ(end.stats[0].windows[1].number, 5U);
  EXPECT_EQ(end.stats[0].windows[1].min_ns, 100U);
  EXPECT_EQ(end.stats[0].windows[1].max_ns, 109U);
}

/// A recorder whose worker dies around the commit of input 7.
void prepare_and_die(shm::WorkerEnd& end, RowQueue& rows) {
  Recorder recorder(end.profile.segments[0], end.stats, 0, 2, rows);
  recorder.sample(0, 7, 7, 0, 100, 1);
  recorder.add_items(0, 1);
  recorder.prepare(8);
}

TEST(RecorderTest, WhatWasNotCommittedIsNotCounted) {
  const shm::Segment segment = make_segment(1, 64);
  shm::WorkerEnd end = segment.map_worker(0);
  RowQueue rows(end.profile, true, kManyRows);
  prepare_and_die(end, rows);
  Recorder sut(end.profile.segments[0], end.stats, 0, 2, rows);
  sut.recover(7);
  EXPECT_EQ(end.stats[0].items, 0U);
  EXPECT_EQ(end.profile.page->head, 0U);
  sut.recover(8);
  EXPECT_EQ(end.stats[0].items, 0U) << "a later commit of so many inputs is another";
}

TEST(RecorderTest, WhatWasCommittedIsCountedOnceBySuccessors) {
  const shm::Segment segment = make_segment(1, 64);
  shm::WorkerEnd end = segment.map_worker(0);
  RowQueue rows(end.profile, true, kManyRows);
  prepare_and_die(end, rows);
  for (int i = 0; i < 2; ++i) {
    Recorder(end.profile.segments[0], end.stats, 0, 2, rows).recover(8);
    EXPECT_EQ(end.stats[0].items, 1U);
    EXPECT_EQ(end.profile.page->head, 1U);
    EXPECT_EQ(sum_of(end.stats[0]), 1U);
  }
}

/// A serial row around a parallel child has several segments, each with stages and a batch of its own.
TEST(RecorderTest, ABatchTouchesItsOwnStagesOnly) {
  const shm::Segment segment = make_segment(2, 64);
  shm::WorkerEnd end = segment.map_worker(0);
  RowQueue rows(end.profile, true, kManyRows);
  end.stats[0].items = 5;
  {
    Recorder dies(end.profile.segments[0], end.stats, 1, 1, rows);
    dies.add_items(1, 1);
    dies.prepare(1);
  }
  Recorder(end.profile.segments[0], end.stats, 0, 3, rows).recover(1);
  EXPECT_EQ(end.stats[0].items, 5U);
  EXPECT_EQ(end.stats[1].items, 1U);
}

TEST(RecorderTest, AFullQueueLosesRowsAndCountsThem) {
  const shm::Segment segment = make_segment(1, 8);
  shm::WorkerEnd end = segment.map_worker(0);
  RowQueue rows(end.profile, true, kManyRows);
  Recorder sut(end.profile.segments[0], end.stats, 0, 2, rows);
  std::atomic<std::uint64_t> journal{0};
  do_batch(sut, journal, 6);
  do_batch(sut, journal, 6);
  EXPECT_EQ(end.profile.page->head, 8U);
  EXPECT_EQ(end.profile.page->lost, 4U);
  EXPECT_EQ(end.stats[0].items, 12U);
  end.profile.page->tail = 8;
  do_batch(sut, journal, 3);
  EXPECT_EQ(end.profile.page->head, 11U);
  EXPECT_EQ(end.profile.page->lost, 4U);
}

TEST(RecorderTest, TooManyRowsASecondAreSampledAndTheRestStandsForAll) {
  const shm::Segment segment = make_segment(1, 1 << 16);
  shm::WorkerEnd end = segment.map_worker(0);
  RowQueue rows(end.profile, true, 1000);
  Recorder sut(end.profile.segments[0], end.stats, 0, 2, rows);
  std::uint64_t done = 0;
  for (int batch = 0; batch < 1000; ++batch) {
    for (int i = 0; i < 100; ++i, ++done) {
      if (sut.wants(done)) {
        sut.sample(0, done, done, 0, 50, sut.weight());
      }
    }
    sut.add_items(0, 100);
    sut.prepare(done);
    sut.apply(1'000'000);
  }
  EXPECT_EQ(end.stats[0].items, 100'000U);
  EXPECT_LT(end.stats[0].samples, 3'000U);
  EXPECT_NEAR(static_cast<double>(end.stats[0].timed), 100'000.0, 30'000.0);
  EXPECT_EQ(end.profile.page->head, end.stats[0].samples);
}

/// Batches of `items` items each, of which those are sampled that the recorder wants; how many those were.
std::uint64_t sample_batches(Recorder& sut, std::uint64_t& done, int batches, std::uint64_t items, std::int64_t& now,
                             std::int64_t apart_ns) {
  std::uint64_t sampled = 0;
  for (int batch = 0; batch < batches; ++batch) {
    for (std::uint64_t i = 0; i < items; ++i, ++done) {
      if (sut.wants(done)) {
        sut.sample(0, done, done, 0, 50, sut.weight());
        ++sampled;
      }
    }
    sut.add_items(0, items);
    sut.prepare(done);
    sut.apply(now += apart_ns);
  }
  return sampled;
}

TEST(RecorderTest, FewerItemsAreSampledMoreAgain) {
  const shm::Segment segment = make_segment(1, 1 << 16);
  shm::WorkerEnd end = segment.map_worker(0);
  RowQueue rows(end.profile, true, 1000);
  Recorder sut(end.profile.segments[0], end.stats, 0, 2, rows);
  std::uint64_t done = 0;
  std::int64_t now = 0;
  sample_batches(sut, done, 1000, 100, now, 1000);
  EXPECT_GE(sut.weight(), 64U);
  sample_batches(sut, done, 100, 10, now, 200'000'000);  // five items each 0.1 s
  EXPECT_EQ(sut.weight(), 1U);
}

TEST(RecorderTest, ADatabaseThatDoesNotKeepUpMakesSamplesFewer) {
  const shm::Segment segment = make_segment(1, 1 << 10);
  shm::WorkerEnd end = segment.map_worker(0);
  RowQueue rows(end.profile, true, kManyRows);
  Recorder sut(end.profile.segments[0], end.stats, 0, 2, rows);
  std::uint64_t done = 0;
  std::int64_t now = 0;
  sample_batches(sut, done, 7, 100, now, 200'000'000);
  EXPECT_EQ(sut.weight(), 1U);
  sample_batches(sut, done, 5, 100, now, 200'000'000);  // nobody has taken a row
  EXPECT_GE(sut.weight(), 4U);
}

TEST(RecorderTest, AThinnedHistoryMakesSamplesFewer) {
  const shm::Segment segment = make_segment(1, 1 << 12);
  shm::WorkerEnd end = segment.map_worker(0);
  RowQueue rows(end.profile, true, kManyRows);
  Recorder sut(end.profile.segments[0], end.stats, 0, 2, rows);
  std::uint64_t done = 0;
  std::int64_t now = 0;
  end.profile.page->history_shift = 5;  // as the writer says it
  sample_batches(sut, done, 1, 100, now, 200'000'000);
  EXPECT_EQ(sut.weight(), 32U);
  EXPECT_LT(sample_batches(sut, done, 10, 100, now, 200'000'000), 100U);
}

TEST(RecorderTest, ALargerShiftSamplesAPartOfWhatASmallerOneDoes) {
  std::size_t chosen = 0;
  for (std::uint64_t sequence = 0; sequence < 100'000; ++sequence) {
    for (std::uint32_t shift = 1; shift < 20; ++shift) {
      if (is_sampled(sequence, sampling_mask(shift))) {
        EXPECT_TRUE(is_sampled(sequence, sampling_mask(shift - 1)));
      }
    }
    chosen += sequence % 2 == 1 && is_sampled(sequence, sampling_mask(3)) ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(chosen), 50'000.0 / 8, 600) << "also of the odd numbers alone";
}

/// By a look at each.
std::uint32_t unsampled_ahead(std::uint64_t sequence, std::uint32_t most, std::uint64_t mask) {
  std::uint32_t items = 0;
  while (items < most && !is_sampled(sequence + items, mask)) {
    ++items;
  }
  return items;
}

TEST(SampledNumbersTest, TheNextOneIsFoundFromAnyNumber) {
  std::uint64_t random = 1;
  for (std::uint32_t shift = 0; shift <= 12; ++shift) {
    for (int i = 0; i < 500; ++i) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      const std::uint64_t sequence = i < 100 ? static_cast<std::uint64_t>(i) : random >> (i % 50);
      const std::uint64_t mask = sampling_mask(shift);
      ASSERT_EQ(unsampled_from(sequence, mask), unsampled_ahead(sequence, ~0U, mask))
          << sequence << ", shift " << shift;
    }
  }
}

/// What lies between two steps is looked through where that is not too long.
TEST(SampledNumbersTest, StepsFromEachToTheNext) {
  constexpr std::uint32_t kFar = ~0U;
  for (std::uint32_t shift = 0; shift <= kLargestShift; ++shift) {
    const std::uint64_t mask = sampling_mask(shift);
    SampledNumbers sut;
    ASSERT_EQ(sut.unsampled_from(0, 1, mask), 0U);
    std::uint64_t sequence = 1;
    for (int sampled = 0; sampled < 200; ++sampled) {
      const std::uint32_t ahead = sut.unsampled_from(sequence, kFar, mask);
      ASSERT_TRUE(is_sampled(sequence + ahead, mask)) << sequence << ", shift " << shift;
      if (shift <= 12) {
        ASSERT_EQ(unsampled_ahead(sequence, ahead, mask), ahead) << sequence << ", shift " << shift;
      }
      sequence += ahead + std::uint64_t{1};
    }
    // About as many as there are to be: the factor is rounded, which shows in the longest distances.
    const auto share = static_cast<double>(std::uint64_t{1} << shift) * 201 / static_cast<double>(sequence);
    EXPECT_NEAR(share, 1, 0.15) << shift;
  }
}

/// Numbers as stages see them: by leaps behind a filter, back to an earlier one, with a new sampling now and then.
TEST(SampledNumbersTest, SaysTheSameAsALookAtEachNumber) {
  SampledNumbers sut;
  std::uint64_t sequence = 0;
  std::uint64_t random = 1;
  std::size_t ended_early = 0;
  for (int i = 0; i < 200'000; ++i) {
    random = random * 6364136223846793005U + 1442695040888963407U;
    const std::uint64_t mask = sampling_mask(static_cast<std::uint32_t>(i / 3'000 % 31));
    const auto most = static_cast<std::uint32_t>(random >> 58) + 1;
    const std::uint32_t expected = unsampled_ahead(sequence, most, mask);
    ASSERT_EQ(sut.unsampled_from(sequence, most, mask), expected) << sequence << ", " << most;
    ended_early += expected < most ? 1 : 0;
    const std::uint64_t leap = random >> 32 & 1023;
    sequence = leap == 0 ? sequence / 2 : leap == 1 ? sequence + (random >> 50) : sequence + leap % 80;
  }
  EXPECT_GT(ended_early, 5'000U);
}

/// A worker is killed after every single instruction from before prepare() to behind apply() (on a slow machine after
/// as many as the time allows); its successor finds what the journal says, and then does the next batch.
TEST(RecorderTest, ExactWhereverTheWorkerIsKilled) {
  constexpr std::uint64_t kStride = test::kSanitized ? 61 : 1;
  constexpr std::uint64_t kFarTooMany = 1'000'000;
  std::uint64_t steps = 0;
  const auto check_cut = [&](std::uint64_t cut) {
    const shm::Segment segment = make_segment(1, 64);
    shm::WorkerEnd end = segment.map_worker(0);
    // In shared memory, as the journal is.
    std::atomic<std::uint64_t>& journal = end.page->commits;
    test::SteppedChild child([&] {
      const shm::WorkerEnd its = segment.map_worker(0);
      RowQueue rows(its.profile, true, kManyRows);
      Recorder dies(its.profile.segments[0], its.stats, 0, 2, rows);
      do_batch(dies, its.page->commits, 3);
      test::step_mark();
      do_batch(dies, its.page->commits, 1);
      test::step_mark();
    });
    for (std::uint64_t i = 0; i < cut && child.step(); ++i) {
    }
    steps = child.steps();
    child.kill();
    RowQueue rows(end.profile, true, kManyRows);
    Recorder sut(end.profile.segments[0], end.stats, 0, 2, rows);
    sut.recover(journal);
    const std::uint64_t done = journal;
    ASSERT_TRUE(done == 3 || done == 4);
    const auto expect_exact = [&](std::uint64_t items) {
      ASSERT_EQ(end.stats[0].items, items) << "cut " << cut;
      ASSERT_EQ(end.stats[0].timed, items) << "cut " << cut;
      ASSERT_EQ(sum_of(end.stats[0]), items) << "cut " << cut;
      ASSERT_EQ(end.profile.page->head, items) << "cut " << cut;
      for (std::uint64_t i = 0; i < items; ++i) {
        ASSERT_EQ(end.profile.rows[i].sequence, i) << "cut " << cut;
      }
    };
    expect_exact(done);
    do_batch(sut, journal, 4);
    expect_exact(done + 4);
  };
  check_cut(kFarTooMany);  // undisturbed, to its end
  const std::uint64_t all = steps;
  ASSERT_GT(all, 100U);
  ASSERT_LT(all, kFarTooMany);
  test::Visits kills(all, kStride, test::Visits::Seconds(30));
  for (std::uint64_t cut = 0; cut < all && !::testing::Test::HasFatalFailure(); ++cut) {
    kills.at(cut, [&] { check_cut(cut); });
  }
  kills.report("kills");
}

}  // namespace
}  // namespace pystream::profile
