// What profiles cost: the recorder alone, a pipeline of 1 us stages without and with a profile, and how many single
// items a second can be written beside running stages.
//
// The rate of one run scatters by several percent, so there are many pairs of runs without and with a profile. Where
// the cost goes is seen in processor times (part of which only fills what a run waits anyway), in two parts:
// - Its own threads and process (writers, profiler process): nobody else runs in them, so a run with a profile tells it
//   exactly, less what its start and end take.
// - What it costs in the threads of the stages: a run without and one with a profile at the same time, each thread on
//   the core of its fellow in the other run, so that both meet the same machine. Each has half of it, and so records
//   half as many single items a second: as many in a thousand as a run alone does.

#include <array>
#include <string>

#include "base/fast_clock.hpp"
#include "bench/chain_stages.hpp"
#include "bench/harness.hpp"
#include "profile/recorder.hpp"
#include "store/stored_summary.hpp"
#include "support/temp_folder.hpp"

namespace {

using namespace pystream;
using namespace pystream::bench;

constexpr std::uint64_t kBatch = 256;
constexpr std::uint64_t kItemsOfARate = 400'000;

/// Of this thread, so that others on the machine do not count.
double cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

/// What a look at the clock costs, which is most of what timing every item does.
double clock_cost(std::uint64_t looks) {
  base::FastClock clock(base::measure_tick_rate());
  std::int64_t sum = 0;
  const double began = cpu_ns();
  for (std::uint64_t i = 0; i < looks; ++i) {
    sum += clock.now();
  }
  volatile std::int64_t keep = sum;
  static_cast<void>(keep);
  return (cpu_ns() - began) / static_cast<double>(looks);
}

/// Nanoseconds for each item and stage. `every`: every item is timed, as for stages of a microsecond and more.
double recorder_cost(bool every, std::uint64_t items) {
  shm::SegmentSpec spec;
  spec.workers.push_back({.stages = 1, .segments = 1, .rows = 1 << 15});
  const shm::Segment segment = shm::Segment::create(spec);
  shm::WorkerEnd end = segment.map_worker(0);
  profile::RowQueue rows(end.profile, true, plan::ProfilerOptions{}.rows_per_second);
  profile::Recorder recorder(end.profile.segments[0], end.stats, 0, 1, rows);
  base::FastClock clock(base::measure_tick_rate());
  std::uint64_t done = 0;
  std::int64_t last = clock.now();
  const double began = cpu_ns();
  while (done < items) {
    for (std::uint64_t i = 0; i < kBatch; ++i, ++done) {
      if (every || recorder.wants(done)) {
        const std::int64_t now = clock.now();
        recorder.sample(0, done, done, last, now - last, every ? 1 : recorder.weight());
        last = now;
      }
    }
    recorder.add_items(0, kBatch);
    recorder.prepare(done);
    end.profile.page->tail = end.profile.page->head.load();
    last = clock.now();
    recorder.apply(last);
  }
  return (cpu_ns() - began) / static_cast<double>(items);
}

/// What the processes of a run tell.
struct Tally {
  RunTimes times;
  std::atomic<std::int64_t> stages_ns{0};  ///< processor time of the threads that run stages
};

/// Keeps the thread that runs a stage on a core, and adds up its processor time, from its first item on.
class StageThread {
 public:
  StageThread(Tally* tally, int core) : tally_(tally), core_(core) {}
  void begin() {
    if (began_ns_ == 0) {
      pin_to(core_);
      began_ns_ = cpu_ns();
    }
  }
  void end() { tally_->stages_ns += static_cast<std::int64_t>(cpu_ns() - began_ns_); }

 private:
  Tally* tally_;
  int core_;
  double began_ns_ = 0;
};

class Numbers final : public Source<std::uint64_t, std::uint64_t> {
 public:
  Numbers(std::uint64_t count, Tally* tally) : count_(count), tally_(tally), thread_(tally, 0) {}
  std::optional<std::uint64_t> next() override {
    if (cursor() == 0) {
      tally_->times.begin();
      thread_.begin();
    }
    return cursor() == count_ ? std::nullopt : std::optional(cursor()++);
  }
  void cleanup() override { thread_.end(); }

 private:
  std::uint64_t count_;
  Tally* tally_;
  StageThread thread_;
};

std::uint64_t work_for(std::uint64_t item, std::uint64_t rounds) {
  for (std::uint64_t i = 0; i < rounds; ++i) {
    item = item * 6364136223846793005U + 1442695040888963407U;
  }
  return item;
}

/// Works for about so many nanoseconds, by counting and not by the clock.
class Work final : public Stage<std::uint64_t> {
 public:
  Work(std::uint64_t rounds, int core, Tally* tally) : rounds_(rounds), thread_(tally, core) {}
  std::uint64_t operator()(std::uint64_t item) override {
    thread_.begin();
    return work_for(item, rounds_);
  }
  void cleanup() override { thread_.end(); }

 private:
  std::uint64_t rounds_;
  StageThread thread_;
};

class Drop final : public Sink<std::uint64_t, std::uint64_t> {
 public:
  explicit Drop(Tally* tally) : tally_(tally), thread_(tally, 1) {}
  void operator()(std::uint64_t item) override {
    thread_.begin();
    cursor() += item;
  }
  void cleanup() override {
    tally_->times.end();
    thread_.end();
  }

 private:
  Tally* tally_;
  StageThread thread_;
};

std::uint64_t rounds_of_a_microsecond() {
  constexpr std::uint64_t kRounds = 20'000'000;
  const double began = cpu_ns();
  volatile std::uint64_t keep = work_for(1, kRounds);
  static_cast<void>(keep);
  return static_cast<std::uint64_t>(kRounds * 1e3 / (cpu_ns() - began));
}

ForkPipeline pipeline(std::uint64_t items, std::uint64_t rounds, int stages, Tally* tally) {
  std::vector<StageFactory> nodes{stage_factory<Numbers>(items, tally)};
  for (int i = 0; i < stages; ++i) {
    nodes.push_back(stage_factory<Work>(rounds, i, tally));
  }
  nodes.push_back(stage_factory<Drop>(tally));
  return ForkPipeline(std::move(nodes));
}

struct Cost {
  double items_per_s = 0;
  double stages_ns = 0;  ///< processor time of the threads that run stages
  double beside_ns = 0;  ///< that of the other threads and processes
};

/// Without a profile if `folder` is empty.
Cost run_once(const std::filesystem::path& folder, std::uint64_t rounds, std::uint64_t items,
              std::uint64_t rows_per_second = plan::ProfilerOptions{}.rows_per_second) {
  const Shared<Tally> tally;
  ForkPipeline sut = pipeline(items, rounds, 2, tally.get());
  if (!folder.empty()) {
    // Each run would delete an old one, whatever its own length.
    sut.set_profile({.folder = folder, .rows_per_second = rows_per_second, .keep_runs = 1000});
  }
  const double cpu_before = cpu_of_children_ns();
  run_whole(sut, items, tally->times);
  const auto stages_ns = static_cast<double>(tally->stages_ns);
  return {.items_per_s = static_cast<double>(items) / tally->times.seconds(),
          .stages_ns = stages_ns,
          .beside_ns = cpu_of_children_ns() - cpu_before - stages_ns};
}

double percent(double part, double whole) {
  return part / whole * 100;
}

/// How much more the stages' threads take with a profile, in percent.
double change_of_stages(const std::filesystem::path& folder, std::uint64_t rounds, std::uint64_t items) {
  const std::uint64_t rows_per_second = plan::ProfilerOptions{}.rows_per_second / 2;
  const Shared<std::array<Cost, 2>> costs;
  Children runs;
  for (const std::size_t with : {0, 1}) {
    runs.start([&] {
      (*costs)[with] = run_once(with == 0 ? std::filesystem::path() : folder, rounds, items, rows_per_second);
    });
  }
  runs.join();
  const auto& [plain, profiled] = *costs;
  return percent(profiled.stages_ns - plain.stages_ns, plain.stages_ns);
}

void measure_recorder(Bench& bench) {
  const std::uint64_t items = bench.scaled<std::uint64_t>(20'000'000, 5'000'000);
  bench.measure("recorder", "ns",
                {{"an item timed", [&] { return recorder_cost(true, items); }},
                 {"an item where they are sampled", [&] { return recorder_cost(false, items); }},
                 {"a look at the clock", [&] { return clock_cost(items / 4); }}});
}

void measure_pipeline(Bench& bench) {
  const std::string subject = "two 1 us stages";
  const test::TempFolder folder;
  const std::uint64_t rounds = rounds_of_a_microsecond();
  const std::uint64_t items = bench.scaled<std::uint64_t>(1'000'000, 400'000);
  for (int i = 0; i < bench.scaled(15, 3) && bench.wants(subject, "processor time"); ++i) {
    const double start_and_end_ns = run_once(folder.path(), rounds, 1).beside_ns;
    const Cost profiled = run_once(folder.path(), rounds, items);
    const double own_ns = profiled.beside_ns - start_and_end_ns;
    const double own = percent(own_ns, profiled.stages_ns);
    const double stages = change_of_stages(folder.path(), rounds, items);
    bench.add(subject, "ms of CPU", "start and end of a profiled run", start_and_end_ns * 1e-6);
    bench.add(subject, "ms of CPU/s", "writers and profiler process",
              own_ns * 1e-6 * profiled.items_per_s / static_cast<double>(items));
    bench.add(subject, "% more CPU", "writers and profiler process", own);
    bench.add(subject, "% more CPU", "threads of stages", stages);
    bench.add(subject, "% more CPU", "a profile", own + stages);
  }
  for (int i = 0; i < bench.scaled(60, 12) && bench.wants(subject, "rate"); ++i) {
    std::array<double, 2> rates{};
    // Each first as often as the other: what the machine does otherwise meets both.
    for (const int turn : {i, i + 1}) {
      const bool with = turn % 2 != 0;
      rates[with ? 1 : 0] = run_once(with ? folder.path() : std::filesystem::path(), rounds, kItemsOfARate).items_per_s;
    }
    bench.add(subject, "items/s", "without a profile", rates[0]);
    bench.add(subject, "items/s", "with a profile", rates[1]);
    bench.add(subject, "% fewer items/s", "with a profile", percent(rates[0] - rates[1], rates[0]));
  }
}

/// Of the last run in the folder.
struct Recorded {
  double rows = 0;
  double lost = 0;
};

/// In a process of its own: one that forks workers never opens a database.
Recorded read_recorded(const std::filesystem::path& folder) {
  const Shared<Recorded> recorded;
  Children reader;
  reader.start([&] {
    store::Database database = store::open_for_reading(folder);
    const auto number = [&](const char* sql) { return static_cast<double>(database.query_integer(sql).value_or(0)); };
    recorded->rows =
        number("SELECT count(*) FROM items JOIN stages ON stages.id = stage WHERE run = (SELECT max(id) FROM runs)");
    recorded->lost = number("SELECT rows_lost FROM RunSummary ORDER BY run DESC LIMIT 1");
  });
  reader.join();
  return *recorded;
}

/// Rows a second until the last one stands in the database, not only in a worker's ring.
void measure_rows(Bench& bench) {
  const std::string subject = "single items";
  // More than each worker passes on two cores: one that may write fewer halves its sample until they are, and then what
  // it writes follows from how fast the pipeline is and not from what the database takes.
  constexpr std::uint64_t kRowsPerSecond = 400'000;
  const std::uint64_t items = bench.scaled<std::uint64_t>(3'000'000, 1'000'000);
  const std::uint64_t rounds = rounds_of_a_microsecond();
  for (int i = 0; i < bench.scaled(5, 1) && bench.wants(subject, "rows"); ++i) {
    const test::TempFolder folder;
    const Shared<Tally> tally;
    ForkPipeline sut = pipeline(items, rounds, 3, tally.get());
    sut.set_profile(
        {.folder = folder.path(), .max_history = std::uint64_t{1} << 40, .rows_per_second = kRowsPerSecond});
    run_whole(sut, items, tally->times);
    const double seconds = static_cast<double>(base::now_ns() - tally->times.began_ns) * 1e-9;
    const Recorded recorded = read_recorded(folder.path());
    bench.add(subject, "rows/s", "recorded", recorded.rows / seconds);
    bench.add(subject, "rows", "lost", recorded.lost);
    bench.add(subject, "items/s", "of the pipeline meanwhile", static_cast<double>(items) / tally->times.seconds());
  }
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench("profile", argc, argv);
  measure_recorder(bench);
  measure_pipeline(bench);
  measure_rows(bench);
  return bench.finish();
}
