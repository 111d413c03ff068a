// One hop between two processes, each on a core of its own: one item at a time with both ends awake, the receiver
// asleep, and as many as go through; beside what else joins processes.

#include <chrono>
#include <cstring>
#include <memory>
#include <pystream/pystream.hpp>

#include "bench/harness.hpp"
#include "bench/hop_channels.hpp"
#ifdef PYSTREAM_HAVE_ZMQ
#include "bench/hop_zmq.hpp"
#endif
#ifdef PYSTREAM_HAVE_ICEORYX
#include "bench/hop_iceoryx.hpp"
#endif

namespace {

using namespace pystream::bench;
using namespace std::chrono_literals;
using pystream::base::now_ns;

/// The figure, and that it is there: the other process waits for that before it ends, as what it sent may still be in
/// a library's hands.
struct Outcome {
  std::atomic<double> figure{0};
  std::atomic<bool> there{false};

  void set(double value) {
    figure = value;
    there = true;
  }
  void wait() const {
    while (!there) {
      ::usleep(1000);
    }
  }
};

/// At the end of a process that was attached to a channel.
template <class Channel>
void leave() {
  if constexpr (requires { Channel::leave(); }) {
    Channel::leave();
  }
}

/// Half a round trip, in ns: the mean over many, after a tenth of them for warmth.
template <class Channel>
double one_way_ns(int rounds) {
  Channel there;
  Channel back;
  const Shared<Outcome> outcome;
  Children children;
  children.start([&] {
    pin_to(1);
    there.attach_receiver();
    back.attach_sender();
    Message message{};
    for (int i = 0; i < rounds + rounds / 10; ++i) {
      there.receive(message);
      back.send(message);
    }
    outcome->wait();
    leave<Channel>();
  });
  children.start([&] {
    pin_to(0);
    back.attach_receiver();
    there.attach_sender();
    Message message{};
    std::int64_t began = 0;
    for (int i = -rounds / 10; i < rounds; ++i) {
      began = i == 0 ? now_ns() : began;
      there.send(message);
      back.receive(message);
    }
    outcome->set(static_cast<double>(now_ns() - began) / rounds / 2);
    leave<Channel>();
  });
  children.join();
  return outcome->figure;
}

/// From send() to the return of receive() in a process that slept, in ns: the median.
template <class Channel>
double wake_ns(int rounds) {
  constexpr std::int64_t kPauseNs = 150'000;  // long enough to fall asleep
  Channel channel;
  const Shared<Outcome> outcome;
  Children children;
  children.start([&] {
    pin_to(1);
    channel.attach_receiver();
    std::vector<double> times;
    for (int i = 0; i < rounds; ++i) {
      Message message{};
      channel.receive(message);
      times.push_back(static_cast<double>(now_ns() - static_cast<std::int64_t>(message[0])));
    }
    outcome->set(median(times));
    leave<Channel>();
  });
  children.start([&] {
    pin_to(0);
    channel.attach_sender();
    for (int i = 0; i < rounds; ++i) {
      const std::int64_t due = now_ns() + kPauseNs;
      while (now_ns() < due) {
      }
      channel.send({static_cast<std::uint64_t>(now_ns())});
    }
    outcome->wait();
    leave<Channel>();
  });
  children.join();
  return outcome->figure;
}

/// Messages a second, seen by the receiver.
template <class Channel>
double rate(std::uint64_t messages) {
  Channel channel;
  const Shared<Outcome> outcome;
  Children children;
  children.start([&] {
    pin_to(1);
    channel.attach_receiver();
    Message message{};
    std::uint64_t sum = 0;
    channel.receive(message);
    const std::int64_t began = now_ns();
    for (std::uint64_t i = 1; i < messages; ++i) {
      channel.receive(message);
      sum += message[0];
    }
    const std::int64_t took = now_ns() - began;
    if (sum != messages * (messages - 1) / 2) {
      std::fprintf(stderr, "messages were lost\n");
      std::exit(EXIT_FAILURE);
    }
    outcome->set(static_cast<double>(messages - 1) / static_cast<double>(took) * 1e9);
    leave<Channel>();
  });
  children.start([&] {
    pin_to(0);
    channel.attach_sender();
    for (std::uint64_t i = 0; i < messages; ++i) {
      channel.send({i});
    }
    outcome->wait();
    leave<Channel>();
  });
  children.join();
  return outcome->figure;
}

/// Through a worker and back with the public API, one item at a time: ns for each of the two hops.
double pipeline_hop_ns(int rounds) {
  pystream::Pipeline pipeline;
  pipeline.add([](Message message) { return message; });
  pipeline.parallelize({.block_output = true, .results = pystream::Results::all});
  cpu_set_t before;
  ::sched_getaffinity(0, sizeof(before), &before);
  cpu_set_t other;
  CPU_ZERO(&other);
  CPU_SET(1, &other);
  ::sched_setaffinity(pipeline.status().stages.at(0).pid, sizeof(other), &other);
  pin_to(0);
  std::int64_t began = 0;
  for (int i = -rounds / 10; i < rounds; ++i) {
    began = i == 0 ? now_ns() : began;
    if (!pipeline.forward(Message{}) || !pipeline.get_results<Message>()) {
      std::fprintf(stderr, "an item was lost\n");
      std::exit(EXIT_FAILURE);
    }
  }
  const double took = static_cast<double>(now_ns() - began) / rounds / 2;
  pipeline.cleanup();
  ::sched_setaffinity(0, sizeof(before), &before);
  return took;
}

template <class Channel>
Contender one_way(const std::string& name, int rounds) {
  return {name, [=] { return one_way_ns<Channel>(rounds); }};
}
template <class Channel>
Contender wake(const std::string& name, int rounds) {
  return {name, [=] { return wake_ns<Channel>(rounds); }};
}
template <class Channel>
Contender most(const std::string& name, std::uint64_t messages) {
  return {name, [=] { return rate<Channel>(messages); }};
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("hop", argc, argv);
  const int awake = bench.scaled(500'000, 100'000);
  const int blocking = bench.scaled(20'000, 4'000);
  const int wakes = bench.scaled(2'000, 400);
  const std::uint64_t fast = bench.scaled<std::uint64_t>(20'000'000, 4'000'000);
  const std::uint64_t slow = bench.scaled<std::uint64_t>(1'000'000, 200'000);

  std::vector<Contender> one_ways{one_way<RingChannel<1, true>>("pystream ring", awake),
                                  one_way<BareChannel<1>>("bare ring", awake),
                                  one_way<BoostQueueChannel>("Boost message_queue", blocking),
                                  one_way<PipeChannel>("pipe", blocking),
                                  {"pystream, forward() to get_results()", [=] { return pipeline_hop_ns(awake / 5); }}};
  std::vector<Contender> wakings{
      wake<RingChannel<1, false>>("pystream ring", wakes), wake<FutexChannel>("futex", wakes),
      wake<BoostQueueChannel>("Boost message_queue", wakes), wake<PipeChannel>("pipe", wakes)};
  std::vector<Contender> rates{most<RingChannel<1, true>>("pystream ring, one by one", fast),
                               most<BareChannel<1>>("bare ring, one by one", fast),
                               most<RingChannel<64, true>>("pystream ring, batches of 64", fast / 64 * 64),
                               most<BareChannel<64>>("bare ring, batches of 64", fast / 64 * 64),
                               most<BoostQueueChannel>("Boost message_queue", slow),
                               most<PipeChannel>("pipe", slow)};
#ifdef PYSTREAM_HAVE_ZMQ
  one_ways.push_back(one_way<ZmqChannel>("ZeroMQ ipc", blocking));
  wakings.push_back(wake<ZmqChannel>("ZeroMQ ipc", wakes));
  rates.push_back(most<ZmqChannel>("ZeroMQ ipc", slow));
#else
  bench.missing("ZeroMQ", "libzmq3-dev");
#endif
#ifdef PYSTREAM_HAVE_ICEORYX
  const auto roudi = std::make_unique<RouDi>();
  if (roudi->runs()) {
    one_ways.push_back(one_way<IceoryxChannel>("iceoryx", awake / 5));
    rates.push_back(most<IceoryxChannel>("iceoryx", slow));
  } else {
    bench.missing("iceoryx", "its daemon iox-roudi does not start");
  }
#else
  bench.missing("iceoryx", "libiceoryx-posh-dev");
#endif
  bench.measure("both awake", "ns one way", one_ways);
  bench.measure("receiver asleep", "ns to wake", wakings);
  bench.measure("throughput", "items/s", rates);
  return bench.finish();
}
