#include <algorithm>
#include <atomic>
#include <memory>

#include "support/child.hpp"
#include "support/link.hpp"

/// A neighbour that writes over a live link: this side throws LinkCorrupt or goes on within bounds, and never crashes.
namespace pystream::shm {
namespace {

using namespace pystream::test;

/// Writes through a mapping of its own of the whole segment, as a wild pointer would.
class Vandal {
 public:
  explicit Vandal(const Segment& segment)
      : size_(segment.header().total_bytes),
        data_(static_cast<std::byte*>(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, segment.fd(), 0))) {}
  Vandal(const Vandal&) = delete;
  Vandal& operator=(const Vandal&) = delete;
  ~Vandal() { ::munmap(data_, size_); }
  std::byte& at(std::uint64_t offset) const { return data_[offset]; }
  void put(std::uint64_t offset, std::uint64_t value) const { std::memcpy(data_ + offset, &value, sizeof(value)); }

 private:
  std::size_t size_;
  std::byte* data_;
};

std::uint64_t consumer_page(const Segment& segment) {
  return segment.consumers(0)[0].page_offset;
}

struct Tally {
  std::uint64_t found = 0;
  std::uint64_t unseen = 0;
};

/// Reads every byte of every item; throws LinkCorrupt, or gives how much it read.
std::uint64_t read_all(RingReader& reader) {
  std::uint64_t sum = 0;
  for (int i = 0; i < 1000; ++i) {
    const Record* record = reader.try_peek();
    if (record == nullptr) {
      break;
    }
    for (const std::byte byte : record->payload) {
      sum += std::to_integer<std::uint64_t>(byte);
    }
    reader.advance();
    reader.release();
  }
  return sum;
}

class CorruptionTest : public ::testing::TestWithParam<Overflow> {
 protected:
  LinkSize size() const { return {.ring_bytes = 4096, .item_limit = 8192, .overflow = GetParam()}; }

  static void fill(RingWriter& writer) {
    put(writer, payload_of(0, 10));
    put(writer, payload_of(1, 2000));
    put(writer, "");
    EXPECT_TRUE(writer.try_mark(RecordKind::tombstone, {}));
    put(writer, payload_of(2, 8192 - 2048));
    put(writer, payload_of(3, 200));
    if (writer.overflow() == Overflow::block) {
      put_run(writer, std::vector<std::string>(5, payload_of(4, 12)));
    }
    writer.commit({.inputs_done = 5});
  }

  struct Damage {
    std::function<void(const Vandal&)> inflict;
    std::string what;
  };

  /// A link with items in it is damaged, then both sides go on, once with what they know already and once as restarted
  /// processes.
  void go_on_after(const Damage& damage) const {
    for (const bool restarted : {false, true}) {
      const Segment segment = make_link(size());
      const Vandal vandal(segment);
      RingWriter writer(segment.map_producer(0));
      RingReader reader(segment.map_consumer(0), 0);
      fill(writer);
      if (take(reader)) {
        reader.release();
      }
      damage.inflict(vandal);
      try {
        if (restarted) {
          RingReader successor(segment.map_consumer(0), 1);
          read_all(successor);
        } else {
          read_all(reader);
        }
      } catch (const LinkCorrupt&) {
      }
      try {
        if (restarted) {
          RingWriter successor(segment.map_producer(0));
          fill(successor);
        } else {
          fill(writer);
        }
      } catch (const LinkCorrupt&) {
      }
    }
  }

  /// In a process of its own, so that a crash is seen; one for all, since a fork for each is most of the time.
  void expect_survived(const std::vector<Damage>& damages) const {
    // Where the child is.
    using Index = std::atomic<std::size_t>;
    const auto unmap = [](Index* shared) { ::munmap(shared, sizeof(Index)); };
    void* page = ::mmap(nullptr, sizeof(Index), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(page, MAP_FAILED);
    const std::unique_ptr<Index, decltype(unmap)> index(::new (page) Index, unmap);
    Child child([&] {
      for (const Damage& damage : damages) {
        go_on_after(damage);
        ++*index;
      }
    });
    const int status = child.wait();
    ASSERT_EQ(status, 0) << damages[*index].what << (WIFSIGNALED(status) ? " crashed" : " failed");
    ASSERT_EQ(*index, damages.size());
  }

  void survives_every_byte(std::uint64_t offset, std::uint64_t bytes, const std::string& what) const {
    std::vector<Damage> damages;
    for (std::uint64_t at = offset; at < offset + bytes; ++at) {
      for (const int flip : {0x01, 0x80, 0xff}) {
        damages.push_back({[=](const Vandal& vandal) { vandal.at(at) ^= std::byte(flip); },
                           what + " byte " + std::to_string(at - offset)});
      }
    }
    expect_survived(damages);
  }

  static constexpr std::uint64_t kValues[] = {0,          1,          8,          16,         4095,
                                              4096,       4097,       1ULL << 31, 1ULL << 32, (1ULL << 32) - 16,
                                              1ULL << 48, 1ULL << 63, ~0ULL - 15, ~0ULL};

  void survives_every_word(std::uint64_t offset, std::uint64_t bytes, const std::string& what) const {
    std::vector<Damage> damages;
    for (std::uint64_t at = offset; at < offset + bytes; at += 8) {
      for (const std::uint64_t value : kValues) {
        damages.push_back({[=](const Vandal& vandal) { vandal.put(at, value); },
                           what + " word " + std::to_string(at - offset) + " = " + std::to_string(value)});
      }
    }
    expect_survived(damages);
  }
};

TEST_P(CorruptionTest, ProducerPage) {
  const LinkEntry link = make_link(size()).link(0);
  survives_every_byte(link.producer_offset, 48, "producer page");
  survives_every_word(link.producer_offset, 48, "producer page");
  survives_every_word(link.producer_offset + kLine, 16, "large area and request");
  survives_every_word(link.producer_offset + offsetof(ProducerPage, asleep_at), 16, "producer's sleeps");
  survives_every_word(link.producer_offset + 2 * kLine, 80, "journal 0");
  survives_every_word(link.producer_offset + 2 * kLine + sizeof(JournalEntry), 80, "journal 1");
}

TEST_P(CorruptionTest, ConsumerPage) {
  const std::uint64_t page = consumer_page(make_link(size()));
  survives_every_byte(page, 64, "consumer page");
  survives_every_word(page, 64, "consumer page");
  survives_every_word(page + kLine, 8, "consumer's sleep");
}

TEST_P(CorruptionTest, Records) {
  const LinkEntry link = make_link(size()).link(0);
  // 0: item of 10 bytes, 48: large, 112: empty, 144: tombstone, 176: large, 240: item of 200 bytes, 480: run
  survives_every_byte(link.ring_offset, 272, "record");
  survives_every_word(link.ring_offset, 272, "record");
  survives_every_byte(link.ring_offset + 480, 48, "run");
  survives_every_word(link.ring_offset + 480, 48, "run");
}

TEST_P(CorruptionTest, Inbox) {
  const LinkEntry link = make_link(size()).link(0);
  survives_every_word(link.inbox_offset, link.inbox_bytes != 0 ? sizeof(Inbox) : 0, "inbox");
}

TEST_P(CorruptionTest, RandomNoise) {
  const std::uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  const Segment laid_out = make_link(size());
  const LinkEntry link = laid_out.link(0);
  const std::uint64_t consumer = consumer_page(laid_out);
  std::vector<Damage> damages;
  for (int round = 0; round < 300; ++round) {
    const std::uint64_t noise = random();
    damages.push_back({[=](const Vandal& vandal) {
                         std::mt19937_64 bytes(noise);
                         for (int i = 0; i < 20; ++i) {
                           const std::uint64_t starts[] = {link.producer_offset + bytes() % 1024,
                                                           consumer + bytes() % 256, link.ring_offset + bytes() % 544};
                           vandal.at(starts[bytes() % 3]) = std::byte(bytes());
                         }
                       },
                       "noise of round " + std::to_string(round) + ", seed " + std::to_string(seed)});
  }
  expect_survived(damages);
}

INSTANTIATE_TEST_SUITE_P(Links, CorruptionTest, ::testing::Values(Overflow::block, Overflow::drop_oldest),
                         [](const auto& info) { return info.param == Overflow::block ? "block" : "drop_oldest"; });

/// What must not pass unseen, and what the message says.
TEST(CorruptionDetectionTest, TheErrorNamesTheRecord) {
  const Segment segment = make_link();
  RingWriter writer(segment.map_producer(0));
  RingReader sut(segment.map_consumer(0), 0);
  put(writer, "1");
  put(writer, "2");
  writer.commit({.inputs_done = 2});
  take(sut);
  Vandal(segment).at(segment.link(0).ring_offset + 48) = std::byte{77};
  try {
    sut.try_peek();
    FAIL();
  } catch (const LinkCorrupt& error) {
    EXPECT_NE(std::string(error.what()).find("record 1"), std::string::npos) << error.what();
  }
}

TEST(CorruptionDetectionTest, ZerosAreNoRecord) {
  const Segment segment = make_link();
  RingWriter writer(segment.map_producer(0));
  RingReader sut(segment.map_consumer(0), 0);
  put(writer, "1");
  writer.commit({.inputs_done = 1});
  ASSERT_EQ(::fallocate(segment.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                        static_cast<off_t>(segment.link(0).ring_offset), 4096),
            0)
      << "seals do not stop this";
  EXPECT_THROW(sut.try_peek(), LinkCorrupt);
}

TEST(CorruptionDetectionTest, AnImpossibleReadPositionEndsTheProducer) {
  for (const std::uint64_t position : {std::uint64_t{16}, std::uint64_t{1} << 40, ~std::uint64_t{0} - 15}) {
    const Segment segment = make_link();
    RingWriter sut(segment.map_producer(0));
    Vandal(segment).put(consumer_page(segment), position);
    EXPECT_THROW(while (put(sut, payload_of(0, 100))){}, LinkCorrupt) << position << ": it would wait for ever";
  }
}

TEST(CorruptionDetectionTest, AReadPositionInTheMidstOfAHeaderEndsTheProducer) {
  const Segment segment = make_link();
  RingWriter sut(segment.map_producer(0));
  ASSERT_TRUE(put(sut, payload_of(0, 100)));
  sut.commit({.inputs_done = 1});
  Vandal(segment).put(consumer_page(segment), std::uint64_t{24});
  EXPECT_THROW(while (put(sut, payload_of(0, 100))){}, LinkCorrupt);
}

TEST(CorruptionDetectionTest, AJournalThatMatchesNowhereEndsTheSuccessor) {
  const Segment segment = make_link();
  Vandal(segment).put(segment.link(0).producer_offset, 4096);
  EXPECT_THROW(RingWriter(segment.map_producer(0)), LinkCorrupt);
}

}  // namespace
}  // namespace pystream::shm
