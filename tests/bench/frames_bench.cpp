// Video frames of 6 MiB through three stages that read each pixel once and write it: processes against threads that
// read one buffer and write another, with as many buffers between two of them.

#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "bench/chain_stages.hpp"
#include "bench/harness.hpp"

namespace {

using namespace pystream;
using namespace pystream::bench;

constexpr std::size_t kFrame = 1920 * 1080 * 3;
constexpr std::size_t kStages = 3;

// The work on pixels, the same code for all.
void draw(std::byte* to, std::uint64_t number) {
  std::memset(to, static_cast<int>(number), kFrame);
}
[[gnu::noinline]] void brighten(const std::byte* from, std::byte* to) {
  for (std::size_t i = 0; i < kFrame; ++i) {
    to[i] = static_cast<std::byte>(static_cast<unsigned>(from[i]) + 1);
  }
}
[[gnu::noinline]] std::uint64_t add_up(const std::byte* from) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kFrame; i += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + i, sizeof(word));
    sum += word;
  }
  return sum;
}
std::uint64_t expected_sum(std::uint64_t frames) {
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < frames; ++i) {
    const std::uint64_t pixel = (i + kStages) & 0xff;
    sum += pixel * 0x0101010101010101U * (kFrame / sizeof(std::uint64_t));
  }
  return sum;
}
void check_sum(std::uint64_t sum, std::uint64_t frames) {
  if (sum != expected_sum(frames)) {
    std::fprintf(stderr, "frames came out wrong\n");
    std::exit(EXIT_FAILURE);
  }
}

class Camera final : public RawSource<std::uint64_t> {
 public:
  Camera(std::uint64_t count, RunTimes* times) : count_(count), times_(times) {}
  bool produce(Output& out) override {
    if (cursor() == 0) {
      times_->begin();
    }
    if (cursor() == count_) {
      return false;
    }
    draw(out.reserve(kFrame).data(), cursor()++);
    out.emit_reserved(kFrame);
    return true;
  }

 private:
  std::uint64_t count_;
  RunTimes* times_;
};
struct Brighten final : RawStage {
  void operator()(const Item& in, Output& out) override {
    brighten(in.bytes().data(), out.reserve(kFrame).data());
    out.emit_reserved(kFrame);
  }
};
class AddUp final : public RawSink<std::uint64_t> {
 public:
  AddUp(std::uint64_t frames, RunTimes* times) : frames_(frames), times_(times) {}
  void consume(const Item& in) override { cursor() += add_up(in.bytes().data()); }
  void cleanup() override {
    times_->end();
    check_sum(cursor(), frames_);
  }

 private:
  std::uint64_t frames_;
  RunTimes* times_;
};

/// `buffers`: between two nodes.
double run_processes(std::uint64_t frames, std::size_t buffers) {
  const Shared<RunTimes> times;
  ForkPipeline pipeline(chain_of(stage_factory<Camera>(frames, times.get()), stage_factory<Brighten>(), kStages,
                                 stage_factory<AddUp>(frames, times.get())),
                        {.items = buffers});
  run_whole(pipeline, frames, *times);
  return static_cast<double>(frames) / times->seconds();
}

/// Buffers that wait for a thread.
class BufferQueue {
 public:
  void push(std::byte* buffer) {
    {
      const std::lock_guard lock(mutex_);
      buffers_.push_back(buffer);
    }
    changed_.notify_one();
  }
  std::byte* pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !buffers_.empty(); });
    std::byte* buffer = buffers_.front();
    buffers_.pop_front();
    return buffer;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::byte*> buffers_;
};

/// A bounded queue of buffers that are allocated once and go round.
struct Exchange {
  explicit Exchange(std::size_t buffers) {
    for (std::size_t i = 0; i < buffers; ++i) {
      memory.push_back(std::make_unique<std::byte[]>(kFrame));
      std::memset(memory.back().get(), 0, kFrame);
      free.push(memory.back().get());
    }
  }
  std::vector<std::unique_ptr<std::byte[]>> memory;
  BufferQueue free;
  BufferQueue full;
};

double run_threads(std::uint64_t frames, std::size_t buffers) {
  std::deque<Exchange> between;
  for (std::size_t i = 0; i <= kStages; ++i) {
    between.emplace_back(buffers);
  }
  std::vector<std::thread> threads;
  std::uint64_t sum = 0;
  const std::int64_t began = base::now_ns();
  threads.emplace_back([&] {
    for (std::uint64_t i = 0; i < frames; ++i) {
      std::byte* to = between.front().free.pop();
      draw(to, i);
      between.front().full.push(to);
    }
  });
  for (std::size_t stage = 0; stage < kStages; ++stage) {
    threads.emplace_back([&, stage] {
      Exchange& in = between[stage];
      Exchange& out = between[stage + 1];
      for (std::uint64_t i = 0; i < frames; ++i) {
        std::byte* from = in.full.pop();
        std::byte* to = out.free.pop();
        brighten(from, to);
        in.free.push(from);
        out.full.push(to);
      }
    });
  }
  threads.emplace_back([&] {
    for (std::uint64_t i = 0; i < frames; ++i) {
      std::byte* from = between.back().full.pop();
      sum += add_up(from);
      between.back().free.push(from);
    }
  });
  for (std::thread& thread : threads) {
    thread.join();
  }
  const double seconds = static_cast<double>(base::now_ns() - began) * 1e-9;
  check_sum(sum, frames);
  return static_cast<double>(frames) / seconds;
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("frames", argc, argv);
  const std::uint64_t frames = bench.scaled<std::uint64_t>(1'000, 200);
  // Processes first in every round: nothing forks while a thread runs.
  const auto compare = [&](const char* subject, std::size_t buffers) {
    bench.measure(subject, "frames/s",
                  {{"pystream", [=] { return run_processes(frames, buffers); }},
                   {"threads", [=] { return run_threads(frames, buffers); }}});
  };
  compare("6 MiB, 3 stages", 4);  // what a link of large items holds by default
  // Two neighbours take turns: on few cores that is faster, as the frame stays in their caches.
  compare("6 MiB, 3 stages, 1 between two", 1);
  return bench.finish();
}
