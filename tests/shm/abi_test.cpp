#include <gtest/gtest.h>

#include "shm/segment_abi.hpp"

/// The layout once more, in literal numbers. If one of these fails, the layout has changed: raise kAbiVersion, so that
/// a worker program of another version is refused instead of reading nonsense, and correct the numbers here.
namespace pystream::shm {
namespace {

#define EXPECT_AT(type, field, offset) EXPECT_EQ(offsetof(type, field), offset) << "raise kAbiVersion"
#define EXPECT_SIZE(type, size) EXPECT_EQ(sizeof(type), size) << "raise kAbiVersion"

TEST(AbiTest, VersionOfTheNumbersBelow) {
  EXPECT_EQ(kAbiVersion, 8U);
  EXPECT_EQ(kMagic, 0x6d61657274737970U);
}

TEST(AbiTest, Record) {
  EXPECT_SIZE(RecordHeader, 32U);
  EXPECT_AT(RecordHeader, number_and_kind, 0U);
  EXPECT_AT(RecordHeader, sequence, 8U);
  EXPECT_AT(RecordHeader, size, 16U);
  EXPECT_AT(RecordHeader, part, 20U);
  EXPECT_AT(RecordHeader, entered_ns, 24U);
  EXPECT_SIZE(LargePayload, 32U);
  EXPECT_AT(LargePayload, position, 0U);
  EXPECT_AT(LargePayload, size, 8U);
  EXPECT_AT(LargePayload, ordinal, 16U);
  EXPECT_SIZE(LargeReference, 64U);
  EXPECT_AT(LargeReference, place, 0U);
  EXPECT_AT(LargeReference, link, 32U);
  EXPECT_AT(LargeReference, position, 40U);
  EXPECT_AT(LargeReference, input, 48U);
  EXPECT_EQ(kRecordAlign, 16U);
  EXPECT_EQ(static_cast<int>(RecordKind::invalid), 0);
  EXPECT_EQ(static_cast<int>(RecordKind::item), 1);
  EXPECT_EQ(static_cast<int>(RecordKind::large_item), 2);
  EXPECT_EQ(static_cast<int>(RecordKind::tombstone), 3);
  EXPECT_EQ(static_cast<int>(RecordKind::end), 4);
  EXPECT_EQ(static_cast<int>(RecordKind::reference), 5);
  EXPECT_EQ(static_cast<int>(RecordKind::run), 6);
}

TEST(AbiTest, Journal) {
  EXPECT_SIZE(JournalEntry, 256U);
  EXPECT_AT(JournalEntry, write_position, 0U);
  EXPECT_AT(JournalEntry, next_number, 8U);
  EXPECT_AT(JournalEntry, large_position, 16U);
  EXPECT_AT(JournalEntry, large_ordinal, 24U);
  EXPECT_AT(JournalEntry, inputs_done, 32U);
  EXPECT_AT(JournalEntry, parts_of, 40U);
  EXPECT_AT(JournalEntry, parts_out, 48U);
  EXPECT_AT(JournalEntry, flags, 52U);
  EXPECT_AT(JournalEntry, outputs, 56U);
  EXPECT_AT(JournalEntry, cycles, 64U);
  EXPECT_AT(JournalEntry, cursor, 72U);
  EXPECT_EQ(kJournalEnded, 1U);
}

TEST(AbiTest, Pages) {
  EXPECT_AT(ProducerPage, write_position, 0U);
  EXPECT_AT(ProducerPage, written_number, 8U);
  EXPECT_AT(ProducerPage, dropped, 16U);
  EXPECT_AT(ProducerPage, tail_position, 24U);
  EXPECT_AT(ProducerPage, large_written, 32U);
  EXPECT_AT(ProducerPage, sleeps, 128U);
  EXPECT_AT(ProducerPage, populated, 136U);
  EXPECT_AT(ProducerPage, journal, 256U);
  EXPECT_AT(ConsumerPage, read_position, 0U);
  EXPECT_AT(ConsumerPage, read_number, 8U);
  EXPECT_AT(ConsumerPage, large_released, 16U);
  EXPECT_AT(ConsumerPage, large_ordinal, 24U);
  EXPECT_AT(ConsumerPage, overrun, 32U);
  EXPECT_AT(ConsumerPage, done_number, 40U);
  EXPECT_AT(ConsumerPage, done_large, 48U);
  EXPECT_AT(ConsumerPage, releases, 56U);
  EXPECT_AT(ConsumerPage, sleeps, 128U);
  EXPECT_AT(Inbox, next_position, 48U);
  EXPECT_EQ(kInboxPayload, 4096U);
  EXPECT_AT(ControlPage, command, 0U);
  EXPECT_AT(ControlPage, incarnation, 4U);
  EXPECT_AT(ControlPage, attempt_number, 8U);
  EXPECT_AT(ControlPage, attempts, 16U);
  EXPECT_AT(ControlPage, give_up, 20U);
  EXPECT_AT(ControlPage, seen_until, 24U);
  EXPECT_AT(ControlPage, isolate_until, 32U);
  EXPECT_AT(ControlPage, items_limit, 40U);
  EXPECT_AT(WorkerPage, phase, 0U);
  EXPECT_AT(WorkerPage, hosted, 4U);
  EXPECT_AT(WorkerPage, incarnation, 8U);
  EXPECT_AT(WorkerPage, number, 16U);
  EXPECT_AT(WorkerPage, sequence, 24U);
  EXPECT_AT(WorkerPage, commits, 32U);
  EXPECT_AT(WorkerPage, waiting_ns, 128U);
  EXPECT_AT(WorkerPage, failure_kind, 256U);
  EXPECT_AT(WorkerPage, failure_text, 272U);
  EXPECT_AT(WorkerPage, death_cause, 3968U);
  EXPECT_AT(WorkerPage, takes_stack_requests, 3972U);
  EXPECT_AT(WorkerPage, stack_answers, 3976U);
  EXPECT_AT(WorkerPage, given_up, 3984U);
  EXPECT_AT(WorkerPage, given_up_items, 3992U);
  EXPECT_SIZE(GivenUpItem, 504U);
  EXPECT_EQ(kWorkerPageBytes, 8192U);
}

TEST(AbiTest, Tables) {
  EXPECT_SIZE(SegmentHeader, 64U);
  EXPECT_AT(SegmentHeader, magic, 0U);
  EXPECT_AT(SegmentHeader, version, 8U);
  EXPECT_AT(SegmentHeader, total_bytes, 16U);
  EXPECT_AT(SegmentHeader, table_bytes, 24U);
  EXPECT_AT(SegmentHeader, plan_offset, 40U);
  EXPECT_AT(SegmentHeader, config_offset, 56U);
  EXPECT_SIZE(WorkerEntry, 72U);
  EXPECT_AT(WorkerEntry, checkpoint_offset, 16U);
  EXPECT_AT(WorkerEntry, profile_offset, 32U);
  EXPECT_AT(WorkerEntry, rows, 48U);
  EXPECT_AT(WorkerEntry, hosted, 56U);
  EXPECT_AT(WorkerEntry, segments, 68U);
  EXPECT_SIZE(LinkEntry, 104U);
  EXPECT_AT(LinkEntry, ring_offset, 16U);
  EXPECT_AT(LinkEntry, large_offset, 32U);
  EXPECT_AT(LinkEntry, inbox_offset, 48U);
  EXPECT_AT(LinkEntry, item_limit, 64U);
  EXPECT_AT(LinkEntry, producer, 88U);
  EXPECT_AT(LinkEntry, overflow, 100U);
  EXPECT_SIZE(HostedStats, 128U + 8U * 656U);
  EXPECT_SIZE(CheckpointHeader, 16U);
}

TEST(AbiTest, Profile) {
  EXPECT_AT(HostedStats, total_ns, 40U);
  EXPECT_AT(HostedStats, age_ns, 48U);
  EXPECT_AT(HostedStats, windows, 72U);
  EXPECT_AT(HostedStats, histogram, 120U);
  EXPECT_AT(ProfileConfig, tick_multiplier, 8U);
  EXPECT_AT(ProfileConfig, path, 48U);
  EXPECT_SIZE(Row, 32U);
  EXPECT_AT(RowPage, head, 0U);
  EXPECT_AT(RowPage, tail, 128U);
  EXPECT_SIZE(Batch, 56U);
  EXPECT_AT(Batch, rows, 24U);
  EXPECT_SIZE(HostedAfter, 80U);
  EXPECT_SIZE(BucketAfter, 16U);
  EXPECT_EQ(kWindowNs, 1'000'000'000);
}

TEST(AbiTest, EveryValueFallsIntoTheBucketWhoseMiddleIsNear) {
  for (std::uint64_t value = 0; value < (std::uint64_t{1} << 43); value += 1 + value / 37) {
    const double middle = bucket_middle(bucket_of(value));
    EXPECT_LE(std::abs(middle - static_cast<double>(value)), static_cast<double>(value) / 31) << value;
  }
}

}  // namespace
}  // namespace pystream::shm
