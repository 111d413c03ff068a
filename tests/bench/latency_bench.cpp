// How long an item of 64 bytes is on its way through five nodes at half of the rate they can reach: the items come in
// bursts, as from a device that is asked ten thousand times a second.

#include <sys/prctl.h>

#include <cstring>
#include <string>

#include "bench/chain_stages.hpp"
#include "bench/harness.hpp"
#ifdef PYSTREAM_HAVE_TBB
#include "bench/tbb_chain.hpp"
#endif

namespace {

using namespace pystream;
using namespace pystream::bench;

constexpr std::size_t kBytes = 64;
constexpr std::size_t kStages = 3;
constexpr std::int64_t kBurstNs = 100'000;
constexpr std::size_t kSamples = 1 << 18;
using Packet = Block<kBytes>;

/// When items are due. 0 items/s: at once.
class Pace {
 public:
  explicit Pace(double items_per_s) : ns_per_item_(items_per_s > 0 ? 1e9 / items_per_s : 0) {}
  void start() {
    ::prctl(PR_SET_TIMERSLACK, 1);  // else the kernel may add 50 us to a sleep
    start_ns_ = base::now_ns();
    open_ns_ = 0;
  }
  bool due(std::uint64_t item) const {
    return ns_per_item_ == 0 || static_cast<double>(item) * ns_per_item_ < static_cast<double>(open_ns_);
  }
  /// To the next burst.
  void sleep() {
    const std::int64_t now = base::now_ns() - start_ns_;
    open_ns_ = std::max(open_ns_ + kBurstNs, now / kBurstNs * kBurstNs);
    const std::int64_t until = start_ns_ + open_ns_;
    const timespec time{.tv_sec = until / 1'000'000'000, .tv_nsec = until % 1'000'000'000};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
  }

 private:
  double ns_per_item_;
  std::int64_t start_ns_ = 0;
  std::int64_t open_ns_ = 0;  ///< what is due before this has been let in
};

/// Every so many items' times from entrance to exit.
struct Latencies {
  std::atomic<std::uint64_t> count{0};
  std::uint32_t ns[kSamples];

  void add(const Packet& item) {
    const std::uint64_t at = count.load(std::memory_order_relaxed);
    if (at < kSamples) {
      ns[at] = static_cast<std::uint32_t>(base::now_ns() - static_cast<std::int64_t>(item[1]));
      count.store(at + 1, std::memory_order_relaxed);
    }
  }
};

/// One run: what is sent, how fast, and what came of it.
struct Job {
  std::uint64_t items = 0;
  double items_per_s = 0;  ///< 0: as fast as it goes
  std::uint64_t every = 1;
};
struct Outcome {
  double items_per_s = 0;
  double p50_us = 0;
  double p999_us = 0;
};

Job paced(double items_per_s, double seconds) {
  const auto items = static_cast<std::uint64_t>(items_per_s * seconds);
  return {.items = items, .items_per_s = items_per_s, .every = items / kSamples + 1};
}

Outcome outcome_of(const Latencies& latencies, std::uint64_t items, double seconds) {
  std::vector<double> ns(latencies.ns, latencies.ns + latencies.count);
  return {.items_per_s = static_cast<double>(items) / seconds,
          .p50_us = quantile(ns, 0.5) * 1e-3,
          .p999_us = quantile(ns, 0.999) * 1e-3};
}

class PacedSource final : public RawSource<std::uint64_t> {
 public:
  PacedSource(Job job, RunTimes* times) : job_(job), pace_(job.items_per_s), times_(times) {}
  bool produce(Output& out) override {
    if (!started_) {
      started_ = true;
      times_->begin();
      pace_.start();
    }
    if (cursor() == job_.items) {
      return false;
    }
    if (!pace_.due(cursor())) {
      if (burst_) {
        burst_ = false;
        return true;  // without an item: what there is leaves before this sleeps
      }
      pace_.sleep();
      return true;
    }
    burst_ = true;
    out.emit(Packet{cursor()++, static_cast<std::uint64_t>(base::now_ns())});
    return true;
  }

 private:
  Job job_;
  Pace pace_;
  RunTimes* times_;
  bool started_ = false;
  bool burst_ = false;
};

class MeasuringSink final : public Sink<Packet, std::uint64_t> {
 public:
  MeasuringSink(Job job, Latencies* latencies, RunTimes* times) : job_(job), latencies_(latencies), times_(times) {}
  void operator()(Packet item) override {
    if (++cursor() % job_.every == 0) {
      latencies_->add(item);
    }
  }
  void cleanup() override { times_->end(); }

 private:
  Job job_;
  Latencies* latencies_;
  RunTimes* times_;
};

Outcome run_pystream(const Job& job) {
  const Shared<RunTimes> times;
  const Shared<Latencies> latencies;
  ForkPipeline pipeline(chain_of(stage_factory<PacedSource>(job, times.get()), stage_factory<TypedAddOne<kBytes>>(),
                                 kStages, stage_factory<MeasuringSink>(job, latencies.get(), times.get())));
  run_whole(pipeline, job.items, *times);
  return outcome_of(*latencies, job.items, times->seconds());
}

#ifdef PYSTREAM_HAVE_TBB
Outcome run_tbb(const Job& job) {
  const auto latencies = std::make_unique<Latencies>();
  Pace pace(job.items_per_s);
  std::uint64_t arrived = 0;
  const std::int64_t began = base::now_ns();
  pace.start();
  run_tbb_pointers<Packet>(
      job.items,
      [&](std::uint64_t number) {
        while (!pace.due(number)) {
          pace.sleep();
        }
        return Packet{number, static_cast<std::uint64_t>(base::now_ns())};
      },
      [&](const Packet& item) {
        if (++arrived % job.every == 0) {
          latencies->add(item);
        }
      });
  return outcome_of(*latencies, job.items, static_cast<double>(base::now_ns() - began) * 1e-9);
}
#endif

template <class Run>
double best_rate(Run run, std::uint64_t items) {
  const Job job{.items = items, .items_per_s = 0, .every = items};
  return median({run(job).items_per_s, run(job).items_per_s, run(job).items_per_s});
}

void report(Bench& bench, const std::string& subject, const std::string& contender, const Outcome& outcome) {
  bench.add(subject, "us, p50", contender, outcome.p50_us);
  bench.add(subject, "us, p99.9", contender, outcome.p999_us);
  bench.add(subject, "items/s", contender, outcome.items_per_s);
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("latency", argc, argv);
  const double seconds = bench.scaled(2.0, 0.5);
  const std::uint64_t trial = bench.scaled<std::uint64_t>(4'000'000, 1'000'000);
  const double own = best_rate(run_pystream, trial) / 2;
#ifdef PYSTREAM_HAVE_TBB
  const double other = best_rate(run_tbb, trial / 8) / 2;
#else
  bench.missing("oneTBB", "libtbb-dev");
#endif
  for (int round = 0; round < bench.repetitions(); ++round) {
    report(bench, "half of its own", "pystream", run_pystream(paced(own, seconds)));
#ifdef PYSTREAM_HAVE_TBB
    report(bench, "half of its own", "oneTBB", run_tbb(paced(other, seconds)));
    report(bench, "half of oneTBB's", "pystream", run_pystream(paced(other, seconds)));
#endif
  }
  return bench.finish();
}
