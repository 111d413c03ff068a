#include <functional>

#include "support/child.hpp"
#include "support/link.hpp"

/// Several items in one record.
namespace pystream::shm {
namespace {

using namespace pystream::test;
using Texts = std::vector<std::string>;

Texts letters(char first, int count) {
  Texts all;
  for (int i = 0; i < count; ++i) {
    all.push_back(std::string(20, static_cast<char>(first + i)));
  }
  return all;
}

/// Both ends of one link in this process.
class RunTest : public ::testing::Test {
 protected:
  explicit RunTest(const LinkSize& size = {})
      : segment_(make_link(size)), writer_(segment_.map_producer(0)), sut_(segment_.map_consumer(0), 0) {}

  void publish(const Texts& items, std::uint64_t sequence = 0) {
    ASSERT_EQ(put_run(writer_, items, {.sequence = sequence, .entered_ns = 50}), items.size());
    writer_.commit({.inputs_done = 1});
  }

  Segment segment_;
  RingWriter writer_;
  RingReader sut_;
  ConsumerEnd consumer_{segment_.map_consumer(0)};
};

TEST_F(RunTest, ItsItemsComeOutAsRecordsOfTheirOwn) {
  ASSERT_TRUE(put(writer_, "before", {.sequence = 4}));
  publish(letters('a', 3), 5);
  ASSERT_TRUE(put(writer_, "behind", {.sequence = 8}));
  writer_.commit({.inputs_done = 2});
  EXPECT_EQ(take(sut_), "before");
  for (std::uint64_t i = 0; i < 3; ++i) {
    const Record* record = sut_.try_peek();
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(record->kind, RecordKind::item);
    EXPECT_EQ(record->number, 1 + i);
    EXPECT_EQ(record->sequence, 5 + i);
    EXPECT_EQ(record->entered_ns, 50);
    EXPECT_EQ(sut_.try_peek()->number, 1 + i) << "peeking twice is no step";
    EXPECT_EQ(take(sut_), letters('a', 3)[i]);
  }
  EXPECT_EQ(sut_.try_peek()->number, 4U);
  EXPECT_EQ(take(sut_), "behind");
  EXPECT_EQ(sut_.try_peek(), nullptr);
  EXPECT_EQ(writer_.outputs(), 5U);
}

TEST_F(RunTest, ItsSequenceNumbersMayHaveGaps) {
  ASSERT_EQ(writer_.try_reserve_run(1, 64), 64U);
  std::memcpy(writer_.run_start(), "xyz", 3);
  writer_.finish_run(1, {.items = 3, .sequences = 1ULL << 63 | 0b110}, {.sequence = 100});
  writer_.commit({.inputs_done = 1});
  std::vector<std::uint64_t> sequences;
  std::string text;
  for (; sut_.try_peek() != nullptr; sut_.advance()) {
    sequences.push_back(sut_.try_peek()->sequence);
    text += text_of(*sut_.try_peek());
  }
  EXPECT_EQ(sequences, (std::vector<std::uint64_t>{101, 102, 163}));
  EXPECT_EQ(text, "xyz");
}

TEST_F(RunTest, ItsItemsAreFoundTogether) {
  publish(letters('a', 6), 10);
  const FoundItems all = sut_.try_items(20, 64, kAll);
  EXPECT_EQ(all.items, 6U);
  EXPECT_EQ(all.step, 20U);
  EXPECT_EQ(all.sequence, 10U);
  EXPECT_EQ(all.sequences, 0b111111U);
  EXPECT_EQ(all.entered_ns, 50);
  EXPECT_EQ(sut_.try_items(20, 4, kAll).items, 4U);
  EXPECT_EQ(sut_.try_items(20, 64, before(12)).items, 2U);
  EXPECT_EQ(sut_.try_items(19, 64, kAll).items, 0U);
  sut_.advance_items(2);
  const FoundItems rest = sut_.try_items(20, 64, kAll);
  EXPECT_EQ(rest.items, 4U);
  EXPECT_EQ(rest.sequence, 12U);
  EXPECT_EQ(rest.sequences, 0b1111U);
  EXPECT_EQ(rest.payload[0], std::byte{'c'});
  sut_.advance_items(4);
  EXPECT_EQ(sut_.try_items(20, 64, kAll).items, 0U);
  EXPECT_EQ(sut_.next_number(), 6U);
}

struct LongRunTest : RunTest {
  LongRunTest() : RunTest({.ring_bytes = 64 << 10}) {}
};

TEST_F(LongRunTest, ItHasMoreItemsThanBits) {
  constexpr std::uint32_t kItems = 300;
  Texts items;
  for (std::uint64_t i = 0; i < kItems; ++i) {
    items.push_back(payload_of(i, 8));
  }
  publish(items, 1000);
  for (std::uint32_t i = 0; i < kItems;) {
    const FoundItems found = sut_.try_items(8, 100, before(1250));
    if (i < 250) {
      ASSERT_EQ(found.items, std::min(100U, 250 - i));
      ASSERT_EQ(found.sequence, 1000 + i);
      ASSERT_EQ(found.sequences, low_bits(found.items));
      ASSERT_EQ(std::memcmp(found.payload, items[i].data(), 8), 0);
      sut_.advance_items(found.items);
      i += found.items;
      continue;
    }
    ASSERT_EQ(sut_.try_peek()->sequence, 1000 + i);
    ASSERT_EQ(sut_.next_number(), i);
    ASSERT_EQ(take(sut_), items[i++]);
  }
  EXPECT_EQ(sut_.try_peek(), nullptr);
  EXPECT_FALSE(sut_.try_items(8, 100, kAll).items);
}

TEST_F(LongRunTest, ASuccessorGoesOnBehindManyOfItsItems) {
  Texts items;
  for (std::uint64_t i = 0; i < 300; ++i) {
    items.push_back(payload_of(i, 8));
  }
  publish(items, 1000);
  const Segment copy = copy_of(segment_.fd());
  RingReader successor(copy.map_consumer(0), 137);
  EXPECT_EQ(successor.try_peek()->sequence, 1137U);
  EXPECT_EQ(successor.try_items(8, 512, kAll).items, 163U);
}

TEST_F(RunTest, RecordsOfOneSizeAreFoundTogether) {
  for (const std::uint64_t sequence : {3U, 5U, 6U, 66U, 67U}) {
    ASSERT_TRUE(put(writer_, "12345678", {.sequence = sequence, .entered_ns = 50}));
  }
  writer_.commit({.inputs_done = 1});
  const FoundItems found = sut_.try_items(8, 64, kAll);
  EXPECT_EQ(found.items, 4U) << "67 is 64 behind 3";
  EXPECT_EQ(found.sequences, 1ULL << 63 | 0b1101U);
  EXPECT_EQ(found.step, record_bytes(8));
  sut_.advance_items(found.items);
  EXPECT_EQ(sut_.try_peek()->sequence, 67U);
}

TEST_F(RunTest, ItsMemoryIsGivenBackAtItsEnd) {
  publish(letters('a', 3));
  const std::uint64_t at = consumer_.own->read_position;
  take(sut_);
  EXPECT_TRUE(sut_.has_unreleased());
  sut_.release();
  EXPECT_EQ(consumer_.own->read_position, at);
  EXPECT_EQ(consumer_.own->read_number, 0U);
  EXPECT_EQ(consumer_.own->done_number, 1U);
  take(sut_);
  take(sut_);
  sut_.release();
  EXPECT_EQ(consumer_.own->read_position, consumer_.peer->write_position);
  EXPECT_EQ(consumer_.own->read_number, 3U);
  EXPECT_FALSE(sut_.has_unreleased());
}

struct FourItems : RunTest {
  FourItems() : RunTest({.items_limit = 4}) {}
};

TEST_F(FourItems, ARunTakesNoMoreThanTheLimitOfItems) {
  EXPECT_EQ(put_run(writer_, letters('a', 9)), 4U);
  writer_.commit({.inputs_done = 1});
  EXPECT_EQ(put_run(writer_, letters('e', 5)), 0U);
  take(sut_);
  sut_.release();
  EXPECT_EQ(put_run(writer_, letters('e', 5)), 1U) << "one is done, though its memory is not given back";
}

TEST_F(RunTest, ARunIsNoLargerThanASixteenthOfTheRing) {
  const std::size_t most = writer_.run_limit();
  EXPECT_LT(record_bytes(most), segment_.link(0).ring_bytes / 8);
  EXPECT_EQ(writer_.try_reserve_run(most, 64), 1U);
  EXPECT_EQ(writer_.try_reserve_run(most / 3, 64), 3U);
}

TEST_F(RunTest, RunsFillTheRingAndComeOutWhole) {
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  while (written < 3000) {
    Texts items;
    for (std::uint64_t i = 0; i < 1 + written % 9; ++i) {
      items.push_back(payload_of(written + i, 16));
    }
    written += put_run(writer_, items, {.sequence = written});
    writer_.commit({.inputs_done = written});
    for (std::uint64_t i = 0; i < 1 + written % 7 && read < written; ++i, ++read) {
      ASSERT_EQ(sut_.try_peek()->sequence, read);
      ASSERT_EQ(take(sut_), payload_of(read, 16));
    }
    sut_.release();
  }
}

TEST_F(RunTest, ASuccessorGoesOnInItsMiddle) {
  publish(letters('a', 4), 7);
  for (std::uint64_t done = 0; done <= 4; ++done) {
    const Segment copy = copy_of(segment_.fd());
    RingReader successor(copy.map_consumer(0), done);
    EXPECT_EQ(successor.next_number(), done);
    const Texts all = letters('a', 4);
    EXPECT_EQ(take_all(successor), Texts(all.begin() + static_cast<std::ptrdiff_t>(done), all.end()));
  }
}

/// A stage that takes runs of three in steps of two and one; whenever it is killed, its successor finds its place.
TEST_F(RunTest, AtEveryInstructionOfAReleaseTheSuccessorFindsItsPlace) {
  constexpr std::uint64_t kItems = 9;
  const auto item = [](std::uint64_t i) { return payload_of(i, 24); };
  LinkSize in{.producer = 0, .consumers = {1}, .ring_bytes = 4096, .item_limit = 2000};
  LinkSize out = in;
  std::swap(out.producer, out.consumers.front());
  const Segment segment = Segment::create({.workers = {{}, {}}, .links = {in, out}, .plan = ""});
  RingWriter producer(segment.map_producer(0));
  for (std::uint64_t i = 0; i < kItems; i += 3) {
    ASSERT_EQ(put_run(producer, Texts{item(i), item(i + 1), item(i + 2)}, {.sequence = i}), 3U);
  }
  producer.commit({.inputs_done = kItems});
  SteppedChild child([&] {
    RingReader reader(segment.map_consumer(0), 0);
    RingWriter journal(segment.map_producer(1));
    step_mark();
    for (std::uint64_t done = 0; done < kItems;) {
      done += reader.try_items(24, done % 3 == 0 ? 2 : 1, kAll).items;
      reader.advance_items(static_cast<std::uint32_t>(done - reader.next_number()));
      journal.commit_inputs_done(done);
      reader.release();
    }
    step_mark();
  });
  while (child.step()) {
    const Segment copy = copy_of(segment.fd());
    const std::uint64_t done = RingWriter(copy.map_producer(1)).journal().inputs_done;
    RingReader successor(copy.map_consumer(0), done);
    Texts rest;
    for (std::uint64_t i = done; i < kItems; ++i) {
      rest.push_back(item(i));
    }
    ASSERT_EQ(take_all(successor), rest) << "instruction " << child.steps();
    successor.release();
    RingWriter refill(copy.map_producer(0));  // all room is back
    ASSERT_EQ(refill.items_inside(), 0U) << "instruction " << child.steps();
  }
  EXPECT_TRUE(child.reached_end());
}

struct Fault {
  const char* name;
  std::uint64_t offset;  ///< of a word in the record
  std::uint64_t value;
  const char* said;
};

class DamagedRunTest : public RunTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(DamagedRunTest, IsRefused) {
  publish(letters('a', 3));
  const auto& [name, offset, value, said] = GetParam();
  const ProducerEnd producer = segment_.map_producer(0);
  std::memcpy(producer.ring + offset, &value, sizeof(value));
  try {
    sut_.try_peek();
    FAIL();
  } catch (const LinkCorrupt& error) {
    EXPECT_NE(std::string(error.what()).find(said), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Words, DamagedRunTest,
                         ::testing::Values(Fault{"no_sequences", 32, 0, "other sequence numbers"},
                                           Fault{"more_sequences", 32, 0b1111, "other sequence numbers"},
                                           Fault{"fewer_sequences", 32, 0b11, "other sequence numbers"},
                                           Fault{"no_item", 40, 20, "another size"},
                                           Fault{"more_items", 40, 4ULL << 32 | 20, "another size"},
                                           Fault{"items_of_nothing", 40, 3ULL << 32, "another size"},
                                           Fault{"larger_items", 40, 3ULL << 32 | 21, "another size"},
                                           Fault{"very_many_items", 40, 1000ULL << 32 | 20, "another size"},
                                           Fault{"no_head", 16, 8, "the head of a run is cut off"},
                                           Fault{"parts", 16, 1ULL << 32 | 76, "part of what one input gave"}),
                         [](const auto& info) { return info.param.name; });

struct OnALinkThatDrops : RunTest {
  OnALinkThatDrops() : RunTest({.overflow = Overflow::drop_oldest}) {}
};

TEST_F(OnALinkThatDrops, ARunIsRefused) {
  publish(letters('a', 2));
  EXPECT_THROW(sut_.try_peek(), LinkCorrupt);
}

}  // namespace
}  // namespace pystream::shm
