#include "shm/waiting.hpp"

#include <sys/syscall.h>

#include <thread>

#include "support/child.hpp"
#include "support/link.hpp"

namespace pystream::shm {
namespace {

using namespace pystream::test;

constexpr std::int64_t kLong = 30 * kSecondNs;
/// A sleeper that is woken takes less than this, one that is not takes kLong.
constexpr auto kSoon = std::chrono::seconds(10);

/// A reader process that waits until the link has `items`, then exits with 0.
class SleepingReader {
 public:
  SleepingReader(const Segment& segment, std::uint64_t items)
      : child_([&segment, items] {
          RingReader ring(segment.map_consumer(0), 0);
          for (std::uint64_t seen = 0; seen < items;) {
            if (take(ring)) {
              ++seen;
            } else {
              ring.wait(0, kLong);
            }
          }
        }) {}
  Child& child() { return child_; }

 private:
  Child child_;
};

/// True if the process sleeps in a futex call.
bool sleeps_in_futex(pid_t pid) {
  char name[64] = {};
  std::FILE* file = std::fopen(("/proc/" + std::to_string(pid) + "/syscall").c_str(), "r");
  if (file == nullptr) {
    return false;
  }
  const bool read = std::fgets(name, sizeof(name), file) != nullptr;
  std::fclose(file);
  return read && (std::atoi(name) == SYS_futex || std::atoi(name) == SYS_futex_waitv);
}

TEST(WaitingTest, AChangeBeforeTheSleepIsSeen) {
  std::atomic<std::uint64_t> position{1};
  std::atomic<std::uint64_t> sleeps{0};
  const Deadline deadline{kSoon};
  wait_for_change({.position = position, .sleeps = sleeps, .seen = 0}, {.timeout_ns = kLong});
  EXPECT_FALSE(deadline.passed());
  EXPECT_EQ(sleeps.load() & 1, 0U);
}

TEST(WaitingTest, TheTimeoutEndsASleep) {
  std::atomic<std::uint64_t> position{0};
  std::atomic<std::uint64_t> sleeps{0};
  wait_for_change({.position = position, .sleeps = sleeps, .seen = 0}, {.timeout_ns = 1'000'000});
  EXPECT_EQ(sleeps.load(), 2U);
}

TEST(WaitingTest, AsleepIsOnlyWhoSaysSo) {
  std::atomic<std::uint64_t> sleeps{4};
  EXPECT_EQ(asleep(sleeps), 0U);
  sleeps = 5;
  EXPECT_EQ(asleep(sleeps), 5U);
}

/// Whoever died asleep left its counter odd, and the other side remembers that it ended that very sleep.
TEST(WaitingTest, ASuccessorsSleepIsAnotherOne) {
  std::atomic<std::uint64_t> position{0};
  std::atomic<std::uint64_t> sleeps{5};
  std::uint64_t while_asleep = 0;
  std::thread waiter(
      [&] { wait_for_change({.position = position, .sleeps = sleeps, .seen = 0}, {.timeout_ns = kLong}); });
  EXPECT_TRUE(wait_until([&] { return (while_asleep = asleep(sleeps)) > 5; }, std::chrono::seconds(5)))
      << "the successor sleeps in its predecessor's name";
  position = 1;
  base::futex_wake(position);
  waiter.join();
  EXPECT_GT(sleeps.load(), while_asleep);
  EXPECT_EQ(sleeps.load() & 1, 0U);
}

TEST(WaitingTest, AReaderThatSleepsIsWoken) {
  const Segment segment = make_link();
  RingWriter ring(segment.map_producer(0));
  SleepingReader reader(segment, 1);
  ASSERT_TRUE(wait_until([&] { return sleeps_in_futex(reader.child().pid()); }));
  const Deadline deadline{kSoon};
  ASSERT_TRUE(put(ring, "wake"));
  ring.commit({.inputs_done = 1});
  EXPECT_EQ(reader.child().wait(), 0);
  EXPECT_FALSE(deadline.passed());
}

TEST(WaitingTest, TheSuccessorOfAReaderKilledAsleepIsWoken) {
  const Segment segment = make_link();
  RingWriter ring(segment.map_producer(0));
  {
    SleepingReader reader(segment, 1);
    ASSERT_TRUE(wait_until([&] { return sleeps_in_futex(reader.child().pid()); }));
    reader.child().signal(SIGSTOP);  // it does not get to end its sleep
    ASSERT_TRUE(put(ring, "1"));
    ring.commit({.inputs_done = 1});  // here the writer ends that sleep
  }
  SleepingReader successor(segment, 2);
  ASSERT_TRUE(wait_until([&] { return sleeps_in_futex(successor.child().pid()); }));
  const Deadline deadline{kSoon};
  ASSERT_TRUE(put(ring, "2"));
  ring.commit({.inputs_done = 2});
  EXPECT_EQ(successor.child().wait(), 0);
  EXPECT_FALSE(deadline.passed()) << "the writer took the successor for awake";
}

/// It has raised its counter, the other side wakes nobody, and only then it goes to sleep, on what is there by now.
TEST(WaitingTest, AReaderThatWasNotYetInTheKernelIsWokenByTheNextCommit) {
  const Segment segment = make_link();
  RingWriter ring(segment.map_producer(0));
  const ConsumerEnd reader = segment.map_consumer(0);
  reader.own->sleeps.store(1);
  ASSERT_TRUE(put(ring, "1"));
  ring.commit({.inputs_done = 1});
  Child sleeper([&] {
    const ConsumerEnd end = segment.map_consumer(0);
    base::futex_wait(end.peer->write_position, end.peer->write_position, kLong);
  });
  ASSERT_TRUE(wait_until([&] { return sleeps_in_futex(sleeper.pid()); }));
  const Deadline deadline{kSoon};
  ASSERT_TRUE(put(ring, "2"));
  ring.commit({.inputs_done = 2});
  EXPECT_EQ(sleeper.wait(), 0);
  EXPECT_FALSE(deadline.passed()) << "the writer believes it ended that sleep";
}

TEST(WaitingTest, AWriterThatWasNotYetInTheKernelIsWokenByTheNextRelease) {
  const Segment segment = make_link();
  RingWriter writer(segment.map_producer(0));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(put(writer, "x"));
  }
  writer.commit({.inputs_done = 2});
  RingReader ring(segment.map_consumer(0), 0);
  segment.map_producer(0).own->sleeps.store(1);
  ASSERT_TRUE(take(ring));
  ring.release();
  Child sleeper([&] {
    const ProducerEnd end = segment.map_producer(0);
    base::futex_wait(end.peer->releases, end.peer->releases, kLong);
  });
  ASSERT_TRUE(wait_until([&] { return sleeps_in_futex(sleeper.pid()); }));
  const Deadline deadline{kSoon};
  ASSERT_TRUE(take(ring));
  ring.release();
  EXPECT_EQ(sleeper.wait(), 0);
  EXPECT_FALSE(deadline.passed()) << "the reader believes it ended that sleep";
}

TEST(WaitingTest, AWriterThatSleepsIsWokenOnceThereIsRoom) {
  const Segment segment = make_link();
  const std::string item = payload_of(0, 96);  // 128 bytes a record: 32 in the ring
  Child writer([&] {
    RingWriter ring(segment.map_producer(0));
    for (int i = 0; i < 33;) {
      if (put(ring, item)) {
        ring.commit({.inputs_done = static_cast<std::uint64_t>(++i)});
      } else {
        ring.wait(0, kLong);
      }
    }
  });
  RingReader ring(segment.map_consumer(0), 0);
  ASSERT_TRUE(wait_until([&] { return sleeps_in_futex(writer.pid()); }));
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(take(ring));
    ring.release();
  }
  EXPECT_TRUE(sleeps_in_futex(writer.pid())) << "woken for less than a quarter of the ring";
  const Deadline deadline{kSoon};
  while (take(ring)) {
  }
  ring.release();
  EXPECT_EQ(writer.wait(), 0);
  EXPECT_FALSE(deadline.passed());
}

/// Ping-pong: every item is a sleep of both sides, so that a wake-up lost in any gap ends the exchange.
TEST(WaitingTest, NoWakeUpIsLostInALongExchange) {
  const Segment segment = make_link({.items_limit = 1});
  constexpr std::uint64_t kRounds = 20'000;
  const Deadline deadline{std::chrono::seconds(28)};
  Child writer([&] {
    RingWriter ring(segment.map_producer(0));
    for (std::uint64_t i = 0; i < kRounds;) {
      if (put(ring, "ping")) {
        ring.commit({.inputs_done = ++i});
      } else {
        ring.wait(0, kLong);
      }
    }
  });
  RingReader ring(segment.map_consumer(0), 0);
  for (std::uint64_t i = 0; i < kRounds;) {
    if (take(ring)) {
      ++i;
      ring.release();
    } else {
      ring.wait(0, kLong);
    }
  }
  EXPECT_EQ(writer.wait(), 0);
  EXPECT_FALSE(deadline.passed());
}

/// Answers each time the writer begins to lack room with a release, as a worker does that keeps items for others.
void answer(const Segment& segment, std::uint64_t times) {
  RingReader ring(segment.map_consumer(0), 0);
  std::uint64_t answered = 0;
  for (std::uint64_t i = 0; i < times;) {
    const Watched lack = ring.lack_of_room();
    if ((lack.seen & 1) != 0 && lack.seen != answered) {
      answered = lack.seen;
      ++i;
      ring.release();
    } else {
      wait_for_either(ring.more(), lack, {.timeout_ns = kLong});
    }
  }
}

TEST(WaitingTest, AReaderThatKeepsItemsIsWokenByAWriterWithoutRoom) {
  const Segment segment = make_link();
  RingWriter ring(segment.map_producer(0));
  Child reader([&] { answer(segment, 1); });
  ASSERT_TRUE(wait_until([&] { return sleeps_in_futex(reader.pid()); }));
  const Deadline deadline{kSoon};
  while (put(ring, "x")) {
  }
  EXPECT_EQ(reader.wait(), 0);
  EXPECT_FALSE(deadline.passed());
  EXPECT_EQ(segment.map_consumer(0).own->sleeps & 1, 0U);
}

TEST(WaitingTest, NoQuestionForRoomIsLostInALongExchange) {
  const Segment segment = make_link();
  constexpr std::uint64_t kRounds = 20'000;
  const Deadline deadline{std::chrono::seconds(28)};
  Child reader([&] { answer(segment, kRounds); });
  RingWriter ring(segment.map_producer(0));
  const ProducerEnd end = segment.map_producer(0);
  ASSERT_TRUE(wait_until([&] { return sleeps_in_futex(reader.pid()); })) << "its start is a release as well";
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    const Watched answered{.position = end.peer->releases, .sleeps = end.own->sleeps, .seen = end.peer->releases};
    ring.ask_for_room();
    wait_for_change(answered, {.timeout_ns = kLong});
    ring.cease_to_ask();
  }
  EXPECT_EQ(reader.wait(), 0);
  EXPECT_FALSE(deadline.passed());
}

}  // namespace
}  // namespace pystream::shm
