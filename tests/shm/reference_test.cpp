#include <array>

#include "support/child.hpp"
#include "support/link.hpp"

/// Large items that are passed on without a copy: records that refer to the bytes in a link upstream.
namespace pystream::shm {
namespace {

using namespace pystream::test;

constexpr std::size_t kLargeSize = 3000;
constexpr std::uint64_t kAtOnce = 3;  ///< large items in a link

/// Four workers in a row.
Segment make_row() {
  SegmentSpec spec{.workers = {{}, {}, {}, {}}, .links = {}, .plan = "{}"};
  for (std::uint32_t id = 0; id < 3; ++id) {
    spec.links.push_back(
        {.producer = id, .consumers = {id + 1}, .ring_bytes = 4096, .item_limit = 16 * 1024, .large_limit = kAtOnce});
  }
  return Segment::create(spec);
}

/// A worker that passes everything on.
struct Passing {
  Passing(const Segment& segment, std::uint32_t input, std::uint64_t inputs_done = 0)
      : writer(segment.map_producer(input + 1)),
        reader(segment.map_consumer(input), inputs_done, writer.oldest_referred()) {
    reader.remember_large();
  }

  /// Passes the next item on; not yet committed.
  void pass_on() {
    const Record& record = *reader.try_peek();
    ASSERT_TRUE(writer.try_refer({.link = record.place.link,
                                  .position = record.place.position,
                                  .size = record.payload.size(),
                                  .input = record.number},
                                 {.sequence = record.sequence}));
    reader.advance();
  }
  void commit() { writer.commit({.inputs_done = reader.next_number()}); }
  void release() { reader.release(reader.mark(), writer.oldest_referred()); }
  void pass_on_and_commit() {
    pass_on();
    commit();
    release();
  }

  RingWriter writer;
  RingReader reader;
};

class ReferenceTest : public ::testing::Test {
 protected:
  void feed(std::uint64_t number, std::size_t size = kLargeSize) {
    ASSERT_TRUE(put(source, payload_of(number, size), {.sequence = number}));
    source.commit({.inputs_done = number + 1});
  }
  std::uint64_t released(std::uint32_t link) const { return segment.map_consumer(link).own->read_number; }

  const Segment segment = make_row();
  RingWriter source{segment.map_producer(0)};
  Passing first{segment, 0};
  Passing second{segment, 1};
  RingReader sink{segment.map_consumer(2), 0};
};

TEST_F(ReferenceTest, TheBytesAreThoseOfTheLinkUpstream) {
  feed(0);
  first.pass_on_and_commit();
  const Record* record = second.reader.try_peek();
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->kind, RecordKind::reference);
  EXPECT_EQ(record->place.link, 0U);
  EXPECT_EQ(text_of(*record), payload_of(0, kLargeSize));
}

TEST_F(ReferenceTest, PassedOnTwiceItRefersToWhereTheBytesAre) {
  feed(0);
  feed(1);
  for (int i = 0; i < 2; ++i) {
    first.pass_on_and_commit();
    second.pass_on_and_commit();
  }
  EXPECT_EQ(sink.try_peek()->place.link, 0U);
  EXPECT_EQ(take(sink), payload_of(0, kLargeSize));
  EXPECT_EQ(take(sink), payload_of(1, kLargeSize));
}

TEST_F(ReferenceTest, AnInputStaysUntilTheLastReaderIsDoneWithIt) {
  feed(0);
  first.pass_on_and_commit();
  second.pass_on_and_commit();
  EXPECT_EQ(released(0), 0U);
  EXPECT_EQ(released(1), 0U);
  ASSERT_TRUE(take(sink));
  sink.release();
  first.release();
  EXPECT_EQ(released(0), 0U) << "the second worker has not passed the release on";
  second.release();
  EXPECT_EQ(released(1), 1U);
  first.release();
  EXPECT_EQ(released(0), 1U);
}

TEST_F(ReferenceTest, WhatIsBeforeTheOldestReferenceIsReleased) {
  feed(0);
  first.pass_on_and_commit();
  feed(1);
  first.pass_on_and_commit();
  ASSERT_TRUE(take(second.reader));
  second.reader.release();
  first.release();
  EXPECT_EQ(released(0), 1U);
  EXPECT_EQ(first.writer.oldest_referred(), 1U);
}

TEST_F(ReferenceTest, InputsBetweenReferencesStayToo) {
  feed(0);
  first.pass_on_and_commit();
  feed(1, 10);
  ASSERT_TRUE(take(first.reader));
  first.writer.commit_inputs_done(2);
  first.release();
  EXPECT_EQ(released(0), 0U);
}

TEST_F(ReferenceTest, WhatIsRolledBackRefersToNothing) {
  feed(0);
  first.pass_on();
  first.writer.rollback();
  EXPECT_EQ(first.writer.oldest_referred(), std::nullopt);
}

TEST_F(ReferenceTest, AReferenceCountsAsTheItemWould) {
  for (std::uint64_t i = 0; i < kAtOnce; ++i) {
    feed(i);
    first.pass_on_and_commit();
  }
  EXPECT_FALSE(first.writer.try_refer({.link = 0, .position = 0, .size = kLargeSize, .input = kAtOnce}, {}));
  EXPECT_THROW(
      static_cast<void>(first.writer.try_refer({.link = 0, .position = 0, .size = 1 << 20, .input = kAtOnce}, {})),
      ItemTooLarge);
  ASSERT_TRUE(take(second.reader));
  second.reader.release();
  EXPECT_TRUE(first.writer.try_refer({.link = 0, .position = 0, .size = kLargeSize, .input = kAtOnce}, {}));
}

TEST_F(ReferenceTest, WhatIsPassedOnCountsForTheNextLinkOnly) {
  for (std::uint64_t i = 0; i < kAtOnce; ++i) {
    feed(i);
  }
  EXPECT_FALSE(put(source, payload_of(kAtOnce, kLargeSize)));
  first.pass_on_and_commit();
  EXPECT_EQ(released(0), 0U);
  EXPECT_TRUE(put(source, payload_of(kAtOnce, kLargeSize)));
}

TEST_F(ReferenceTest, MemoryThatIsReferredToIsNeverTakenForNewItems) {
  std::uint64_t number = 0;
  while (put(source, payload_of(number, kLargeSize), {.sequence = number})) {
    source.commit({.inputs_done = ++number});
    first.pass_on_and_commit();
    if (number <= 2) {
      second.pass_on_and_commit();
    }
  }
  ASSERT_GT(number, kAtOnce) << "more is in the row than one link may hold";
  std::uint64_t expected = 0;
  for (; const auto bytes = take(sink); ++expected) {
    EXPECT_EQ(bytes, payload_of(expected, kLargeSize));
  }
  for (; const auto bytes = take(second.reader); ++expected) {
    EXPECT_EQ(bytes, payload_of(expected, kLargeSize));
  }
  EXPECT_EQ(expected, number);
}

TEST_F(ReferenceTest, CopiesAndReferencesShareALink) {
  feed(0);
  first.pass_on();
  ASSERT_TRUE(put(first.writer, payload_of(100, kLargeSize)));
  first.commit();
  feed(1);
  first.pass_on_and_commit();
  EXPECT_EQ(take_all(second.reader),
            (std::vector{payload_of(0, kLargeSize), payload_of(100, kLargeSize), payload_of(1, kLargeSize)}));
}

TEST_F(ReferenceTest, ASuccessorKeepsWhatItsPredecessorReferredTo) {
  feed(0);
  feed(1);
  feed(2);
  first.pass_on();
  first.pass_on();
  first.commit();  // and dies before it can release
  Passing successor(segment, 0, 2);
  EXPECT_EQ(released(0), 0U);
  successor.pass_on_and_commit();
  EXPECT_EQ(take_all(second.reader),
            (std::vector{payload_of(0, kLargeSize), payload_of(1, kLargeSize), payload_of(2, kLargeSize)}));
  second.reader.release();
  successor.release();
  EXPECT_EQ(released(0), 3U);
}

TEST_F(ReferenceTest, ASuccessorOfTheReaderFindsTheBytesAgain) {
  feed(0);
  first.pass_on_and_commit();
  ASSERT_TRUE(take(second.reader));  // and dies with it in hand
  RingReader successor(segment.map_consumer(1), 0);
  EXPECT_EQ(take(successor), payload_of(0, kLargeSize));
}

TEST_F(ReferenceTest, ALinkThatIsNotUpstreamIsCorruption) {
  feed(0);
  ASSERT_NE(first.reader.try_peek(), nullptr);
  for (const std::uint64_t link : {1U, 2U, 77U}) {
    ASSERT_TRUE(first.writer.try_refer({.link = link, .position = 0, .size = kLargeSize, .input = 0}, {}));
    first.writer.commit({.inputs_done = 1});
    RingReader reader(segment.map_consumer(1), 0);
    EXPECT_THROW(static_cast<void>(take_all(reader)), LinkCorrupt) << link;
  }
}

TEST_F(ReferenceTest, BytesOutsideTheLargeAreaAreCorruption) {
  feed(0);
  ASSERT_TRUE(first.writer.try_refer({.link = 0, .position = 16 * 1024 - 1, .size = kLargeSize, .input = 0}, {}));
  first.writer.commit({.inputs_done = 1});
  EXPECT_THROW(static_cast<void>(take(second.reader)), LinkCorrupt);
}

TEST_F(ReferenceTest, ADamagedReferenceNeverCrashesItsReader) {
  feed(0);
  first.pass_on_and_commit();
  constexpr std::array kValues{0ULL, 1ULL, 2ULL, 16383ULL, 16384ULL, 1ULL << 32, 1ULL << 63, ~0ULL};
  for (std::size_t word = 0; word < (sizeof(RecordHeader) + sizeof(LargeReference)) / 8; ++word) {
    for (const std::uint64_t value : kValues) {
      Child child([&] {
        const Segment copy = copy_of(segment.fd());
        std::memcpy(copy.map_producer(1).ring + word * 8, &value, sizeof(value));
        std::uint64_t sum = 0;
        try {
          RingReader reader(copy.map_consumer(1), 0);
          while (const Record* record = reader.try_peek()) {
            for (const std::byte byte : record->payload) {
              sum += std::to_integer<std::uint64_t>(byte);
            }
            reader.advance();
          }
          const Passing successor(copy, 0, 1);
        } catch (const LinkCorrupt&) {
        }
        static_cast<void>(sum);
      });
      ASSERT_EQ(child.wait(), 0) << "word " << word << " = " << value;
    }
  }
}

TEST_F(ReferenceTest, ReleasedAlthoughReferredToIsCorruption) {
  feed(0);
  first.pass_on_and_commit();
  feed(1);
  ASSERT_TRUE(take(first.reader));
  first.reader.release();  // a worker that forgot what it refers to
  EXPECT_THROW(Passing(segment, 0, 2), LinkCorrupt);
}

}  // namespace
}  // namespace pystream::shm
