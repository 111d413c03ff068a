#include <algorithm>

#include "support/child.hpp"
#include "support/link.hpp"

/// What a successor finds, whenever its predecessor was killed: checked at every single instruction of a scripted
/// predecessor, on a copy of the memory as it was at that instant.
namespace pystream::shm {
namespace {

using namespace pystream::test;

/// What a restarted producer takes over.
struct Taken {
  std::uint64_t inputs_done = 0;
  std::uint32_t parts_out = 0;
  std::uint64_t next_number = 0;
  std::uint64_t outputs = 0;
  std::uint32_t flags = 0;
  std::uint64_t cycles = 0;
  std::string cursor;
  std::vector<std::string> published;

  bool operator==(const Taken&) const = default;
};

Taken taken_over(const Segment& segment) {
  const RingWriter sut(segment.map_producer(0));
  const JournalEntry& journal = sut.journal();
  Taken taken{.inputs_done = journal.inputs_done,
              .parts_out = journal.parts_of == journal.inputs_done ? journal.parts_out : 0,
              .next_number = sut.next_number(),
              .outputs = sut.outputs(),
              .flags = journal.flags,
              .cycles = journal.cycles,
              .cursor = std::string(reinterpret_cast<const char*>(journal.cursor), 8),
              .published = {}};
  if (segment.link(0).ring_bytes != 0) {
    RingReader reader(segment.map_consumer(0), segment.map_consumer(0).own->read_number);
    taken.published = take_all(reader);
  }
  return taken;
}

std::span<const std::byte> cursor_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// Each step ends in one commit.
using Step = std::function<void(RingWriter&)>;

// Made before the stepping begins, of which they are no part.
const std::string kLarge = payload_of(7, 3000);
const std::string kSmall[] = {"", payload_of(1, 50), payload_of(2, 100), payload_of(3, 150), payload_of(4, 200)};
const std::string kRun[] = {payload_of(5, 24), payload_of(6, 24), payload_of(7, 24)};

void rollback_and_write(RingWriter& ring) {
  put(ring, "thrown away");
  ring.rollback();
  put(ring, kSmall[1]);
  ring.commit({.inputs_done = 9});
}

std::vector<Step> producer_script() {
  return {
      [](RingWriter& ring) {
        put(ring, "one", {.sequence = 1});
        ring.commit({.inputs_done = 1, .cursor = cursor_of("cursor 1")});
      },
      [](RingWriter& ring) { ring.commit_inputs_done(2); },
      [](RingWriter& ring) {
        for (std::uint64_t i = 0; i < 5; ++i) {
          put(ring, kSmall[i], {.sequence = 2 + i});
        }
        ring.commit({.inputs_done = 5, .cycles = 3});
      },
      [](RingWriter& ring) {
        put(ring, "first part");
        put(ring, "second part");
        ring.commit({.inputs_done = 5, .parts_out = 2, .cycles = 3});
      },
      [](RingWriter& ring) {
        put(ring, kLarge, {.sequence = 5, .part = 2});
        ring.set_closes(1);
        ring.commit({.inputs_done = 6, .cursor = cursor_of("cursor 2")});
      },
      [](RingWriter& ring) { ring.commit_inputs_done(8); },
      [](RingWriter& ring) {
        put_run(ring, kRun, {.sequence = 8});
        ring.commit({.inputs_done = 8});
      },
      rollback_and_write,
      [](RingWriter& ring) {
        static_cast<void>(ring.try_mark(RecordKind::tombstone, {.sequence = 9}, 2));
        static_cast<void>(ring.try_mark(RecordKind::end, {.sequence = 10}));
        ring.commit({.inputs_done = 10, .flags = kJournalEnded});
      },
  };
}

/// The state before the script, and after each step of it.
std::vector<Taken> run_script(const std::vector<Step>& script, LinkSize size) {
  const Segment segment = make_link(size);
  RingWriter ring(segment.map_producer(0));
  std::vector<Taken> states{taken_over(copy_of(segment.fd()))};
  for (const Step& step : script) {
    step(ring);
    states.push_back(taken_over(copy_of(segment.fd())));
  }
  return states;
}

/// Steps through the script; at every instruction a successor finds one of the states, never an earlier one again.
void check_every_instruction(const std::vector<Step>& script, const std::vector<Taken>& states, LinkSize size) {
  const Segment segment = make_link(size);
  SteppedChild child([&] {
    RingWriter ring(segment.map_producer(0));
    step_mark();
    for (const Step& step : script) {
      step(ring);
    }
    step_mark();
  });
  std::size_t state = 0;
  std::string before;
  while (child.step()) {
    const Taken taken = taken_over(copy_of(segment.fd()));
    if (state + 1 < states.size() && taken == states[state + 1]) {
      ++state;
    }
    ASSERT_TRUE(taken == states[state]) << "instruction " << child.steps() << " after commit " << state << ": inputs "
                                        << taken.inputs_done << ", parts " << taken.parts_out << ", published "
                                        << taken.published.size();
  }
  EXPECT_TRUE(child.reached_end());
  EXPECT_EQ(state + 1, states.size());
  std::printf("%llu instructions\n", static_cast<unsigned long long>(child.steps()));
}

TEST(RingRecoveryTest, AtEveryInstructionTheSuccessorFindsExactlyWhatWasCommitted) {
  const LinkSize size{.ring_bytes = 4096, .item_limit = 20'000};
  const std::vector<Step> script = producer_script();
  const std::vector<Taken> states = run_script(script, size);
  EXPECT_EQ(states.back().inputs_done, 10U);
  EXPECT_EQ(states.back().published.size(), 15U);
  check_every_instruction(script, states, size);
}

TEST(RingRecoveryTest, ATerminalLinkKeepsTheSinksWord) {
  std::vector<Step> script;
  for (std::uint64_t i = 1; i < 6; ++i) {
    script.push_back([i](RingWriter& ring) {
      ring.commit_terminal({.inputs_done = i, .cursor = cursor_of("cursor " + std::to_string(i))});
    });
  }
  const Segment segment = Segment::create({.workers = {{}}, .links = {{.producer = 0, .consumers = {0}}}, .plan = ""});
  SteppedChild child([&] {
    RingWriter ring(segment.map_producer(0));
    step_mark();
    for (const Step& step : script) {
      step(ring);
    }
    step_mark();
  });
  std::uint64_t last = 0;
  while (child.step()) {
    const Taken taken = taken_over(copy_of(segment.fd()));
    ASSERT_TRUE(taken.inputs_done == last || taken.inputs_done == last + 1) << "instruction " << child.steps();
    last = taken.inputs_done;
    if (last > 0) {
      ASSERT_EQ(taken.cursor, "cursor " + std::to_string(last)) << "instruction " << child.steps();
    }
  }
  EXPECT_EQ(last, 5U);
}

TEST(RingRecoveryTest, WhatWasNotCommittedIsWrittenAgain) {
  const Segment segment = make_link();
  {
    RingWriter predecessor(segment.map_producer(0));
    put(predecessor, "done");
    predecessor.commit({.inputs_done = 1});
    put(predecessor, "lost");
    put(predecessor, payload_of(0, 50'000));
  }
  RingWriter sut(segment.map_producer(0));
  EXPECT_EQ(sut.next_number(), 1U);
  EXPECT_FALSE(sut.has_uncommitted());
  put(sut, payload_of(1, 60'000));
  put(sut, "again");
  sut.commit({.inputs_done = 2});
  RingReader reader(segment.map_consumer(0), 0);
  EXPECT_EQ(take_all(reader), (std::vector<std::string>{"done", payload_of(1, 60'000), "again"}));
}

TEST(RingRecoveryTest, ASuccessorRespectsWhatTheConsumerStillHolds) {
  const std::uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  const Segment segment = make_link({.item_limit = 20'000, .large_limit = 3});
  std::uint64_t written = 0;
  std::uint64_t read = 0;
  while (written < 3000) {
    RingWriter sut(segment.map_producer(0));  // a restart
    RingReader reader(segment.map_consumer(0), read);
    std::uint64_t next = written;
    for (int n = static_cast<int>(random() % 6); n > 0; --n) {
      if (put(sut, payload_of(next, next % 7 == 0 ? next * 31 % 20'000 : next % 300), {.sequence = next})) {
        ++next;
      }
    }
    if (random() % 2 == 0 && next > written) {
      sut.commit({.inputs_done = next});
      written = next;
    }
    for (int n = static_cast<int>(random() % 6); n > 0; --n) {
      const Record* record = reader.try_peek();
      if (record == nullptr) {
        break;
      }
      ASSERT_EQ(record->sequence, read) << "seed " << seed;
      ASSERT_EQ(text_of(*record), payload_of(read, read % 7 == 0 ? read * 31 % 20'000 : read % 300)) << "seed " << seed;
      reader.advance();
      ++read;
      if (random() % 3 == 0) {
        reader.release();
      }
    }
  }
}

/// The predecessor may have died before it woke the consumer; to it, the successor's question must be another one.
TEST(RingRecoveryTest, ASuccessorWithoutRoomAsksAnew) {
  const Segment segment = make_link();
  const ProducerEnd end = segment.map_producer(0);
  const std::atomic<std::uint64_t>& lacks = end.own->release_requested;
  const auto fill = [&](RingWriter& ring) {
    while (put(ring, payload_of(0, 200))) {
    }
    ring.commit({.inputs_done = 1});
  };
  RingWriter predecessor(segment.map_producer(0));
  fill(predecessor);
  const std::uint64_t asked = lacks;
  RingWriter sut(segment.map_producer(0));
  EXPECT_EQ(lacks & 1, 0U) << "it may have room";
  fill(sut);
  EXPECT_EQ(lacks & 1, 1U);
  EXPECT_GT(lacks, asked);
}

/// A filter: reads link 0, says on link 1 what is done, releases.
Segment make_filter_segment() {
  const LinkSize size{.ring_bytes = 4096, .item_limit = 20'000, .large_limit = 8};
  LinkSize in = size;
  in.producer = 0;
  in.consumers = {1};
  LinkSize out = size;
  out.producer = 1;
  out.consumers = {0};
  return Segment::create({.workers = {{}, {}}, .links = {in, out}, .plan = ""});
}

std::string filter_item(std::uint64_t i) {
  return payload_of(i, i % 3 == 0 ? 1000 + 400 * i : 30 * i);
}

std::uint64_t inputs_done_by_filter(const Segment& segment) {
  return RingWriter(segment.map_producer(1)).journal().inputs_done;
}

/// A restarted reader gives every item that is not done, and lets the producer go on.
void check_reader_takes_over(const Segment& segment, std::uint64_t items) {
  const std::uint64_t done = inputs_done_by_filter(segment);
  RingReader sut(segment.map_consumer(0), done);
  RingWriter producer(segment.map_producer(0));
  std::uint64_t next = items;
  for (std::uint64_t i = done; i < items + 20; ++i) {
    if (put(producer, filter_item(next % 10))) {
      producer.commit({.inputs_done = ++next});
    }
    const Record* record = sut.try_peek();
    ASSERT_NE(record, nullptr) << i;
    ASSERT_EQ(record->number, i);
    ASSERT_EQ(text_of(*record), filter_item(i < items ? i : i % 10)) << i;
    sut.advance();
    sut.release();
  }
}

TEST(RingRecoveryTest, AtEveryInstructionOfAReleaseTheSuccessorFindsItsPlace) {
  constexpr std::uint64_t kItems = 10;
  const Segment segment = make_filter_segment();
  {
    RingWriter producer(segment.map_producer(0));
    for (std::uint64_t i = 0; i < kItems; ++i) {
      ASSERT_TRUE(put(producer, filter_item(i)));
    }
    producer.commit({.inputs_done = kItems});
  }
  SteppedChild child([&] {
    RingReader reader(segment.map_consumer(0), 0);
    RingWriter journal(segment.map_producer(1));
    step_mark();
    for (std::uint64_t i = 0; i < kItems;) {
      for (std::uint64_t batch = 1 + i % 3; batch > 0 && i < kItems; --batch, ++i) {
        reader.try_peek();
        reader.advance();
      }
      journal.commit_inputs_done(i);
      reader.release();
    }
    step_mark();
  });
  while (child.step()) {
    ASSERT_NO_FATAL_FAILURE(check_reader_takes_over(copy_of(segment.fd()), kItems)) << "instruction " << child.steps();
  }
  EXPECT_TRUE(child.reached_end());
}

/// The recovery of a reader killed at its worst instant is killed at every instruction in turn.
TEST(RingRecoveryTest, AtEveryInstructionOfTheRecoveryTheNextSuccessorFindsItsPlace) {
  constexpr std::uint64_t kItems = 10;
  for (int released = 0; released < 4; ++released) {
    const Segment segment = make_filter_segment();
    {
      RingWriter producer(segment.map_producer(0));
      for (std::uint64_t i = 0; i < kItems; ++i) {
        ASSERT_TRUE(put(producer, filter_item(i)));
      }
      producer.commit({.inputs_done = kItems});
      RingReader reader(segment.map_consumer(0), 0);
      for (int i = 0; i < 7; ++i) {
        reader.try_peek();
        reader.advance();
      }
      RingWriter(segment.map_producer(1)).commit_inputs_done(7);
      // Killed after `released` of the four stores of a release.
      const ConsumerEnd end = segment.map_consumer(0);
      const RingReader::Mark mark = reader.mark();
      if (released > 0) {
        end.own->read_number = mark.number;
      }
      if (released > 1) {
        end.own->large_released = mark.large_end;
      }
      if (released > 2) {
        end.own->large_ordinal = mark.large_ordinal;
      }
    }
    SteppedChild child([&] {
      ConsumerEnd end = segment.map_consumer(0);
      step_mark();
      const RingReader reader(std::move(end), 7);
      step_mark();
    });
    while (child.step()) {
      ASSERT_NO_FATAL_FAILURE(check_reader_takes_over(copy_of(segment.fd()), kItems))
          << "instruction " << child.steps() << " after " << released << " stores";
    }
  }
}

TEST(RingRecoveryTest, TheRecoveryOfAWriterChangesNothing) {
  const Segment segment = make_link();
  RingWriter predecessor(segment.map_producer(0));
  put(predecessor, "1");
  predecessor.commit({.inputs_done = 1});
  put(predecessor, "2");
  std::string before(segment.header().total_bytes, '\0');
  std::string after = before;
  ASSERT_GT(::pread(segment.fd(), before.data(), before.size(), 0), 0);
  const RingWriter sut(segment.map_producer(0));
  ASSERT_GT(::pread(segment.fd(), after.data(), after.size(), 0), 0);
  EXPECT_EQ(before, after);
}

TEST(RingRecoveryTest, AReaderDoneWithEverythingGoesOnBehindIt) {
  const Segment segment = make_filter_segment();
  RingWriter producer(segment.map_producer(0));
  put(producer, "1");
  put(producer, payload_of(2, 5000));
  producer.commit({.inputs_done = 2});
  RingReader sut(segment.map_consumer(0), 2);  // died between its commit and its release
  EXPECT_EQ(sut.try_peek(), nullptr);
  EXPECT_TRUE(producer.empty());
  put(producer, payload_of(3, 6000));
  producer.commit({.inputs_done = 3});
  EXPECT_EQ(take_all(sut), std::vector<std::string>{payload_of(3, 6000)});
}

TEST(RingRecoveryTest, ReleasedWithoutBeingDoneIsCorruption) {
  const Segment segment = make_link();
  RingWriter producer(segment.map_producer(0));
  for (int i = 0; i < 3; ++i) {
    put(producer, "item");
  }
  producer.commit({.inputs_done = 3});
  {
    RingReader reader(segment.map_consumer(0), 0);
    take(reader);
    take(reader);
    reader.release();
  }
  EXPECT_THROW(RingReader(segment.map_consumer(0), 1), LinkCorrupt);
  EXPECT_THROW(RingReader(segment.map_consumer(0), 4), LinkCorrupt) << "done without being there";
}

}  // namespace
}  // namespace pystream::shm
