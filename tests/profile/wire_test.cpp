#include "profile/wire.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "base/fast_clock.hpp"
#include "profile/run_description.hpp"
#include "profile/summary.hpp"

namespace pystream::profile {
namespace {

std::pair<Channel, Channel> channels() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {Channel(base::UniqueFd(fds[0])), Channel(base::UniqueFd(fds[1]))};
}

TEST(WireTest, MessagesComeOutAsTheyWentIn) {
  auto [a, b] = channels();
  const std::string large(5 << 20, 'x');
  std::thread sender([&a = a, &large] {
    a.send(MessageType::event, "one");
    a.send(MessageType::begin, large);
  });
  const auto first = b.receive_within(5000);
  const auto second = b.receive_within(5000);
  sender.join();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->type, MessageType::event);
  EXPECT_EQ(first->body, "one");
  EXPECT_EQ(second->body, large);
  EXPECT_FALSE(b.receive());
  EXPECT_FALSE(b.closed());
}

TEST(WireTest, TheOtherSidesEndIsNoticed) {
  auto [a, b] = channels();
  { const Channel gone = std::move(a); }
  EXPECT_FALSE(b.receive_within(1000));
  EXPECT_TRUE(b.closed());
  EXPECT_FALSE(b.send(MessageType::event, "lost"));
}

TEST(WireTest, ACutMessageIsAnError) {
  const std::string bytes = Encoder().put("text").put(7U).bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Decoder sut(std::string_view(bytes).substr(0, size));
    EXPECT_THROW(
        {
          sut.get<std::string>();
          sut.get<unsigned>();
        },
        Error);
  }
}

TEST(WireTest, Descriptions) {
  RunDescription sut;
  sut.database = "/tmp/x";
  sut.name = "n";
  sut.retention.runs = 5;
  sut.keys.push_back(
      {.key = "K", .role = KeyRole::pipeline, .index = KeyDescription::kDerived, .first = 1, .last = 2, .before = 3});
  sut.workers.push_back({.name = "W", .external = true, .output_links = {4, 5}});
  sut.links.push_back({.name = "L", .producer = 1, .consumer = 2, .overflow = "block", .capacity_bytes = 9});
  EXPECT_EQ(encode(decode_run_description(encode(sut))), encode(sut));
  const Event event{.time_ns = 5, .kind = "crash", .worker = "W", .signal = 9, .sequence = 3, .text = "t"};
  EXPECT_EQ(decode_event(encode(event)).sequence, 3U);
  RunSummary summary{.run = 3, .name = "n", .bottleneck = "b"};
  summary.keys.push_back({.key = "K", .role = "stage", .items = 7, .p99_s = 0.5});
  EXPECT_EQ(encode(decode_run_summary(encode(summary))), encode(summary));
}

TEST(FastClockTest, AgreesWithTheKernel) {
  base::FastClock sut(base::measure_tick_rate());
  std::int64_t before = sut.now();
  for (int i = 0; i < 200; ++i) {
    const std::int64_t low = base::now_ns();
    const std::int64_t now = sut.now();
    const std::int64_t high = base::now_ns();
    // A calibration of a few milliseconds is off by parts in 100,000.
    EXPECT_GE(now, low - 100'000);
    EXPECT_LE(now, high + 100'000);
    EXPECT_GE(now, before - 1'000);
    before = now;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace
}  // namespace pystream::profile
