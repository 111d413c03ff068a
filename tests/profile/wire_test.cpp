#include "profile/wire.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "base/fast_clock.hpp"
#include "profile/run_info.hpp"
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

TEST(WireTest, Descriptions) {
  RunInfo sut;
  sut.database = "/tmp/x";
  sut.name = "n";
  sut.retention.runs = 5;
  sut.topology.stages = {{.key = "A", .role = plan::Role::source}};
  sut.topology.workers = {
      {.name = "W", .external = true, .segments = {{.inputs = {}, .stages = {0}, .outputs = {4, 5}}}}};
  sut.topology.links = {{.name = "L", .producer = {1, 2}, .consumers = {{3, 4}}, .options = {.items = 9}}};
  sut.topology.pipeline_keys = {"P"};
  const auto out = base::decode<RunInfo>(base::encode(sut));
  EXPECT_EQ(base::encode(out), base::encode(sut));
  EXPECT_EQ(out.topology.links.at(0).consumers, sut.topology.links[0].consumers);
  const Event event{.time_ns = 5, .kind = "crash", .worker = "W", .signal = 9, .sequence = 3, .text = "t"};
  EXPECT_EQ(base::decode<Event>(base::encode(event)).sequence, 3U);
  RunSummary summary{.run = 3, .name = "n", .bottleneck = "b"};
  summary.keys.push_back({.key = "K", .role = "stage", .items = 7, .p99_s = 0.5});
  EXPECT_EQ(base::encode(base::decode<RunSummary>(base::encode(summary))), base::encode(summary));
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
