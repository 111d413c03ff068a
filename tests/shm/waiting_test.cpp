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
  std::atomic<std::uint64_t> word{1};
  std::atomic<std::uint64_t> asleep_at{0};
  const Deadline deadline{kSoon};
  wait_for_change({.word = word, .asleep_at = asleep_at, .seen = 0}, {.timeout_ns = kLong});
  EXPECT_FALSE(deadline.passed());
  EXPECT_EQ(asleep_at.load(), 0U);
}

TEST(WaitingTest, TheTimeoutEndsASleep) {
  std::atomic<std::uint64_t> word{0};
  std::atomic<std::uint64_t> asleep_at{0};
  wait_for_change({.word = word, .asleep_at = asleep_at, .seen = 0}, {.timeout_ns = 1'000'000});
  EXPECT_EQ(asleep_at.load(), 0U);
}

TEST(WaitingTest, ASleepIsEndedOnce) {
  std::atomic<std::uint64_t> asleep_at{0};
  EndedSleep sut;
  EXPECT_FALSE(sut.must_wake(asleep_at, 16)) << "awake";
  asleep_at = asleep_on(16);
  EXPECT_FALSE(sut.must_wake(asleep_at, 16)) << "it has seen that";
  EXPECT_TRUE(sut.must_wake(asleep_at, 32));
  EXPECT_FALSE(sut.must_wake(asleep_at, 48)) << "its sleep is ended already";
  asleep_at = asleep_on(48);
  EXPECT_TRUE(sut.must_wake(asleep_at, 64)) << "another sleep";
}

TEST(WaitingTest, WhatASleeperSawIsAnnounced) {
  std::atomic<std::uint64_t> word{7};
  std::atomic<std::uint64_t> asleep_at{0};
  std::thread waiter(
      [&] { wait_for_change({.word = word, .asleep_at = asleep_at, .seen = 7}, {.timeout_ns = kLong}); });
  EXPECT_TRUE(wait_until([&] { return asleep_at == asleep_on(7); }, std::chrono::seconds(5)));
  word = 8;
  base::futex_wake(word);
  waiter.join();
  EXPECT_EQ(asleep_at.load(), 0U);
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

/// It has announced its sleep, a commit comes, and only then it goes to sleep: on what it announced, which the kernel
/// refuses, and then on what is there by now.
TEST(WaitingTest, AReaderThatWasNotYetInTheKernelIsWokenByTheNextCommit) {
  const Segment segment = make_link();
  RingWriter ring(segment.map_producer(0));
  const ConsumerEnd reader = segment.map_consumer(0);
  reader.own->asleep_at.store(asleep_on(0));
  ASSERT_TRUE(put(ring, "1"));
  ring.commit({.inputs_done = 1});
  const Deadline deadline{kSoon};
  base::futex_wait(reader.peer->write_position, 0, kLong);
  EXPECT_FALSE(deadline.passed()) << "the kernel let it sleep on what is over";
  SleepingReader sleeper(segment, 2);
  ASSERT_TRUE(wait_until([&] { return sleeps_in_futex(sleeper.child().pid()); }));
  ASSERT_TRUE(put(ring, "2"));
  ring.commit({.inputs_done = 2});
  EXPECT_EQ(sleeper.child().wait(), 0);
  EXPECT_FALSE(deadline.passed()) << "the writer believes it ended that sleep";
}

/// It sleeps on the write position and on the request; the latter wakes it, and it sleeps again on the same position.
TEST(WaitingTest, AReaderThatWasWokenForRoomIsWokenByTheNextCommit) {
  const Segment segment = make_link();
  RingWriter ring(segment.map_producer(0));
  const ConsumerEnd reader = segment.map_consumer(0);
  reader.own->asleep_at.store(asleep_on(0));
  ring.ask_for_room();
  SleepingReader sleeper(segment, 1);
  ASSERT_TRUE(wait_until([&] { return sleeps_in_futex(sleeper.child().pid()); }));
  const Deadline deadline{kSoon};
  ASSERT_TRUE(put(ring, "1"));
  ring.commit({.inputs_done = 1});
  EXPECT_EQ(sleeper.child().wait(), 0);
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
  const ProducerEnd end = segment.map_producer(0);
  const std::uint64_t seen = end.peers[0]->releases;
  end.own->asleep_at[0].store(asleep_on(seen));
  ASSERT_TRUE(take(ring));
  ring.release();
  Child sleeper([&] {
    const ProducerEnd mine = segment.map_producer(0);
    base::futex_wait(mine.peers[0]->releases, seen, kLong);
    const std::uint64_t now = mine.peers[0]->releases;
    wait_for_change({.word = mine.peers[0]->releases, .asleep_at = mine.own->asleep_at[0], .seen = now},
                    {.timeout_ns = kLong});
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
    const Watched lack = ring.release_request();
    if ((lack.seen & 1) != 0 && lack.seen != answered) {
      answered = lack.seen;
      ++i;
      ring.release();
    } else {
      wait_for_any(std::array{ring.more(), lack}, {.timeout_ns = kLong});
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
  EXPECT_EQ(segment.map_consumer(0).own->asleep_at, 0U);
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
    const Watched answered{
        .word = end.peers[0]->releases, .asleep_at = end.own->asleep_at[0], .seen = end.peers[0]->releases};
    ring.ask_for_room();
    while (!answered.changed() && !deadline.passed()) {  // the last answer's wake-up may come during this sleep
      wait_for_change(answered, {.timeout_ns = kLong});
    }
    ring.cease_to_ask();
  }
  EXPECT_EQ(reader.wait(), 0);
  EXPECT_FALSE(deadline.passed());
}

}  // namespace
}  // namespace pystream::shm
