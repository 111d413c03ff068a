#include <gtest/gtest.h>

#include "shm/segment_abi.hpp"

/// The layout once more, in literal numbers. If one of these fails, the layout has changed: raise kAbiVersion, so that
/// a worker program of another version is refused instead of reading nonsense, and correct the numbers here.
namespace pystream::shm {
namespace {

struct Entry {
  const char* what;
  std::uint64_t is;
  std::uint64_t expected;
};

void expect_all(std::initializer_list<Entry> table) {
  for (const Entry& entry : table) {
    EXPECT_EQ(entry.is, entry.expected) << entry.what << ": raise kAbiVersion";
  }
}

TEST(AbiTest, VersionOfTheNumbersBelow) {
  EXPECT_EQ(kAbiVersion, 13U);
  EXPECT_EQ(kMagic, 0x6d61657274737970U);
}

TEST(AbiTest, SizesAndOffsets) {
  expect_all({
      {"RecordHeader", sizeof(RecordHeader), 32},
      {"RecordHeader::number_and_kind", offsetof(RecordHeader, number_and_kind), 0},
      {"RecordHeader::sequence", offsetof(RecordHeader, sequence), 8},
      {"RecordHeader::size", offsetof(RecordHeader, size), 16},
      {"RecordHeader::part", offsetof(RecordHeader, part), 20},
      {"RecordHeader::entered_ns", offsetof(RecordHeader, entered_ns), 24},
      {"LargePayload", sizeof(LargePayload), 32},
      {"LargePayload::position", offsetof(LargePayload, position), 0},
      {"LargePayload::size", offsetof(LargePayload, size), 8},
      {"LargePayload::ordinal", offsetof(LargePayload, ordinal), 16},
      {"LargeReference", sizeof(LargeReference), 64},
      {"LargeReference::place", offsetof(LargeReference, place), 0},
      {"LargeReference::link", offsetof(LargeReference, link), 32},
      {"LargeReference::position", offsetof(LargeReference, position), 40},
      {"LargeReference::input", offsetof(LargeReference, input), 48},
      {"JournalEntry", sizeof(JournalEntry), 256},
      {"JournalEntry::write_position", offsetof(JournalEntry, write_position), 0},
      {"JournalEntry::next_number", offsetof(JournalEntry, next_number), 8},
      {"JournalEntry::large_position", offsetof(JournalEntry, large_position), 16},
      {"JournalEntry::large_ordinal", offsetof(JournalEntry, large_ordinal), 24},
      {"JournalEntry::inputs_done", offsetof(JournalEntry, inputs_done), 32},
      {"JournalEntry::parts_of", offsetof(JournalEntry, parts_of), 40},
      {"JournalEntry::parts_out", offsetof(JournalEntry, parts_out), 48},
      {"JournalEntry::flags", offsetof(JournalEntry, flags), 52},
      {"JournalEntry::outputs", offsetof(JournalEntry, outputs), 56},
      {"JournalEntry::cycles", offsetof(JournalEntry, cycles), 64},
      {"JournalEntry::cursor", offsetof(JournalEntry, cursor), 72},
      {"ProducerPage::write_position", offsetof(ProducerPage, write_position), 0},
      {"ProducerPage::written_number", offsetof(ProducerPage, written_number), 8},
      {"ProducerPage::dropped", offsetof(ProducerPage, dropped), 16},
      {"ProducerPage::tail_position", offsetof(ProducerPage, tail_position), 24},
      {"ProducerPage::large_written", offsetof(ProducerPage, large_written), 32},
      {"ProducerPage::time_limit", offsetof(ProducerPage, time_limit), 40},
      {"ProducerPage::populated", offsetof(ProducerPage, populated), 128},
      {"ProducerPage::release_requested", offsetof(ProducerPage, release_requested), 136},
      {"ProducerPage::journal", offsetof(ProducerPage, journal), 256},
      {"ProducerPage::input_numbers", offsetof(ProducerPage, input_numbers), 768},
      {"ProducerPage::asleep_at", offsetof(ProducerPage, asleep_at), 1792},
      {"ConsumerPage::read_position", offsetof(ConsumerPage, read_position), 0},
      {"ConsumerPage::read_number", offsetof(ConsumerPage, read_number), 8},
      {"ConsumerPage::large_released", offsetof(ConsumerPage, large_released), 16},
      {"ConsumerPage::large_ordinal", offsetof(ConsumerPage, large_ordinal), 24},
      {"ConsumerPage::overrun", offsetof(ConsumerPage, overrun), 32},
      {"ConsumerPage::done_number", offsetof(ConsumerPage, done_number), 40},
      {"ConsumerPage::done_large", offsetof(ConsumerPage, done_large), 48},
      {"ConsumerPage::releases", offsetof(ConsumerPage, releases), 56},
      {"ConsumerPage::wanted_at_once", offsetof(ConsumerPage, wanted_at_once), 64},
      {"ConsumerPage::asleep_at", offsetof(ConsumerPage, asleep_at), 128},
      {"Inbox::next_position", offsetof(Inbox, next_position), 48},
      {"ControlPage::command", offsetof(ControlPage, command), 0},
      {"ControlPage::incarnation", offsetof(ControlPage, incarnation), 4},
      {"ControlPage::attempt_number", offsetof(ControlPage, attempt_number), 8},
      {"ControlPage::attempts", offsetof(ControlPage, attempts), 16},
      {"ControlPage::give_up", offsetof(ControlPage, give_up), 20},
      {"ControlPage::seen_until", offsetof(ControlPage, seen_until), 24},
      {"ControlPage::isolate_until", offsetof(ControlPage, isolate_until), 32},
      {"ControlPage::items_limit", offsetof(ControlPage, items_limit), 40},
      {"ControlPage::cut_short", offsetof(ControlPage, cut_short), 2116},
      {"WorkerPage::phase", offsetof(WorkerPage, phase), 0},
      {"WorkerPage::stage", offsetof(WorkerPage, stage), 4},
      {"WorkerPage::incarnation", offsetof(WorkerPage, incarnation), 8},
      {"WorkerPage::number", offsetof(WorkerPage, number), 16},
      {"WorkerPage::sequence", offsetof(WorkerPage, sequence), 24},
      {"WorkerPage::commits", offsetof(WorkerPage, commits), 32},
      {"WorkerPage::waiting_ns", offsetof(WorkerPage, waiting_ns), 128},
      {"WorkerPage::failure_kind", offsetof(WorkerPage, failure_kind), 256},
      {"WorkerPage::failure_text", offsetof(WorkerPage, failure_text), 272},
      {"WorkerPage::death_cause", offsetof(WorkerPage, death_cause), 3968},
      {"WorkerPage::takes_stack_requests", offsetof(WorkerPage, takes_stack_requests), 3972},
      {"WorkerPage::stack_answers", offsetof(WorkerPage, stack_answers), 3976},
      {"WorkerPage::given_up", offsetof(WorkerPage, given_up), 3984},
      {"WorkerPage::given_up_items", offsetof(WorkerPage, given_up_items), 3992},
      {"GivenUpItem", sizeof(GivenUpItem), 504},
      {"SegmentHeader", sizeof(SegmentHeader), 72},
      {"SegmentHeader::magic", offsetof(SegmentHeader, magic), 0},
      {"SegmentHeader::version", offsetof(SegmentHeader, version), 8},
      {"SegmentHeader::total_bytes", offsetof(SegmentHeader, total_bytes), 16},
      {"SegmentHeader::table_bytes", offsetof(SegmentHeader, table_bytes), 24},
      {"SegmentHeader::plan_offset", offsetof(SegmentHeader, plan_offset), 40},
      {"SegmentHeader::config_offset", offsetof(SegmentHeader, config_offset), 56},
      {"SegmentHeader::consumers", offsetof(SegmentHeader, consumers), 64},
      {"WorkerEntry", sizeof(WorkerEntry), 72},
      {"WorkerEntry::checkpoint_offset", offsetof(WorkerEntry, checkpoint_offset), 16},
      {"WorkerEntry::profile_offset", offsetof(WorkerEntry, profile_offset), 32},
      {"WorkerEntry::rows", offsetof(WorkerEntry, rows), 48},
      {"WorkerEntry::stages", offsetof(WorkerEntry, stages), 56},
      {"WorkerEntry::segments", offsetof(WorkerEntry, segments), 68},
      {"LinkEntry", sizeof(LinkEntry), 112},
      {"LinkEntry::producer_offset", offsetof(LinkEntry, producer_offset), 0},
      {"LinkEntry::ring_offset", offsetof(LinkEntry, ring_offset), 8},
      {"LinkEntry::large_offset", offsetof(LinkEntry, large_offset), 24},
      {"LinkEntry::inbox_offset", offsetof(LinkEntry, inbox_offset), 40},
      {"LinkEntry::item_limit", offsetof(LinkEntry, item_limit), 56},
      {"LinkEntry::time_limit_ns", offsetof(LinkEntry, time_limit_ns), 80},
      {"LinkEntry::producer", offsetof(LinkEntry, producer), 88},
      {"LinkEntry::first_consumer", offsetof(LinkEntry, first_consumer), 92},
      {"LinkEntry::consumers", offsetof(LinkEntry, consumers), 96},
      {"LinkEntry::answers", offsetof(LinkEntry, answers), 100},
      {"LinkEntry::overflow", offsetof(LinkEntry, overflow), 104},
      {"LinkEntry::sharing", offsetof(LinkEntry, sharing), 108},
      {"ConsumerEntry", sizeof(ConsumerEntry), 16},
      {"ConsumerEntry::page_offset", offsetof(ConsumerEntry, page_offset), 0},
      {"ConsumerEntry::worker", offsetof(ConsumerEntry, worker), 8},
      {"StageStats", sizeof(StageStats), 128 + 8 * 656},
      {"CheckpointHeader", sizeof(CheckpointHeader), 16},
      {"StageStats::total_ns", offsetof(StageStats, total_ns), 40},
      {"StageStats::age_ns", offsetof(StageStats, age_ns), 48},
      {"StageStats::windows", offsetof(StageStats, windows), 72},
      {"StageStats::histogram", offsetof(StageStats, histogram), 120},
      {"ProfileConfig::tick_multiplier", offsetof(ProfileConfig, tick_multiplier), 8},
      {"ProfileConfig::path", offsetof(ProfileConfig, path), 48},
      {"Row", sizeof(Row), 32},
      {"RowPage::head", offsetof(RowPage, head), 0},
      {"RowPage::tail", offsetof(RowPage, tail), 128},
      {"Batch", sizeof(Batch), 56},
      {"Batch::rows", offsetof(Batch, rows), 24},
      {"StageAfter", sizeof(StageAfter), 80},
      {"BucketAfter", sizeof(BucketAfter), 16},
  });
}

TEST(AbiTest, Constants) {
  expect_all({
      {"kRecordAlign", static_cast<std::uint64_t>(kRecordAlign), 16},
      {"RecordKind::invalid", static_cast<std::uint64_t>(RecordKind::invalid), 0},
      {"RecordKind::item", static_cast<std::uint64_t>(RecordKind::item), 1},
      {"RecordKind::large_item", static_cast<std::uint64_t>(RecordKind::large_item), 2},
      {"RecordKind::tombstone", static_cast<std::uint64_t>(RecordKind::tombstone), 3},
      {"RecordKind::end", static_cast<std::uint64_t>(RecordKind::end), 4},
      {"RecordKind::reference", static_cast<std::uint64_t>(RecordKind::reference), 5},
      {"RecordKind::run", static_cast<std::uint64_t>(RecordKind::run), 6},
      {"kJournalEnded", static_cast<std::uint64_t>(kJournalEnded), 1},
      {"kInboxPayload", static_cast<std::uint64_t>(kInboxPayload), 4096},
      {"kWorkerPageBytes", static_cast<std::uint64_t>(kWorkerPageBytes), 8192},
      {"kWindowNs", static_cast<std::uint64_t>(kWindowNs), 1'000'000'000},
      {"kMostConsumers", kMostConsumers, 64},
      {"kMostInputs", kMostInputs, 64},
      {"kJournalDealShift", kJournalDealShift, 8},
      {"kJournalCollectShift", kJournalCollectShift, 16},
      {"kDealt", kDealt, std::uint64_t{1} << 55},
      {"kConsumerShift", kConsumerShift, 48},
      {"Sharing::every", static_cast<std::uint64_t>(Sharing::every), 0},
      {"Sharing::turn", static_cast<std::uint64_t>(Sharing::turn), 1},
      {"Sharing::branches", static_cast<std::uint64_t>(Sharing::branches), 2},
      {"Sharing::least_loaded", static_cast<std::uint64_t>(Sharing::least_loaded), 3},
      {"Sharing::key", static_cast<std::uint64_t>(Sharing::key), 4},
      {"Answers::as_it_likes", static_cast<std::uint64_t>(Answers::as_it_likes), 0},
      {"Answers::each", static_cast<std::uint64_t>(Answers::each), 1},
      {"Answers::one", static_cast<std::uint64_t>(Answers::one), 2},
  });
}

TEST(AbiTest, EveryValueFallsIntoTheBucketWhoseMiddleIsNear) {
  for (std::uint64_t value = 0; value < (std::uint64_t{1} << 43); value += 1 + value / 37) {
    const double middle = bucket_middle(bucket_of(value));
    EXPECT_LE(std::abs(middle - static_cast<double>(value)), static_cast<double>(value) / 31) << value;
  }
}

}  // namespace
}  // namespace pystream::shm
