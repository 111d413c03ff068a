// What profiles cost: the recorder alone, a pipeline of 1 us stages with and without (pairs of runs: a busy machine
// needs 15 or more of them), and how many single items a second can be written beside running stages. Prints medians.
//   profile_bench [REPETITIONS]     0: only the last

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

#include "base/fast_clock.hpp"
#include "fork_pipeline.hpp"
#include "profile/recorder.hpp"
#include "profile/summary.hpp"
#include "support/temp_folder.hpp"

namespace {

using pystream::bench::ForkPipeline;
namespace profile = pystream::profile;
namespace shm = pystream::shm;

constexpr std::uint64_t kBatch = 256;

/// Of this thread, so that others on the machine do not count.
double cpu_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double median(std::vector<double> values) {
  if (values.empty()) {
    return 0;
  }
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Median and quartiles of changes in percent.
std::string spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  char text[96];
  std::snprintf(text, sizeof(text), "%+.1f %% (quartiles %+.1f and %+.1f)", values[values.size() / 2],
                values[values.size() / 4], values[values.size() * 3 / 4]);
  return text;
}

/// What a look at the clock costs, which is most of what timing every item does.
double clock_cost() {
  pystream::base::FastClock clock(pystream::base::measure_tick_rate());
  constexpr int kLooks = 5'000'000;
  std::int64_t sum = 0;
  const double began = cpu_ns();
  for (int i = 0; i < kLooks; ++i) {
    sum += clock.now();
  }
  volatile std::int64_t keep = sum;
  static_cast<void>(keep);
  return (cpu_ns() - began) / kLooks;
}

/// Nanoseconds for each item and stage. `every`: every item is timed, as for stages of a microsecond and more.
double recorder_cost(bool every) {
  shm::SegmentSpec spec;
  spec.workers.push_back({.hosted = 1, .segments = 1, .rows = 1 << 15});
  const shm::Segment segment = shm::Segment::create(spec);
  shm::WorkerEnd end = segment.map_worker(0);
  profile::RowQueue rows(end.profile, true, 10'000);
  profile::Recorder recorder(end.profile.segments[0], end.stats, 0, 1, rows);
  pystream::base::FastClock clock(pystream::base::measure_tick_rate());
  constexpr std::uint64_t kItems = 20'000'000;
  std::uint64_t done = 0;
  std::int64_t last = clock.now();
  const double began = cpu_ns();
  while (done < kItems) {
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
  return (cpu_ns() - began) / static_cast<double>(kItems);
}

class Numbers final : public pystream::Source<std::uint64_t, std::uint64_t> {
 public:
  explicit Numbers(std::uint64_t count) : count_(count) {}
  std::optional<std::uint64_t> next() override { return cursor() == count_ ? std::nullopt : std::optional(cursor()++); }

 private:
  std::uint64_t count_;
};

/// Works for about so many nanoseconds, by counting and not by the clock.
struct Work final : pystream::Stage<std::uint64_t> {
  explicit Work(std::uint64_t rounds) : rounds_(rounds) {}
  std::uint64_t operator()(std::uint64_t item) override {
    for (std::uint64_t i = 0; i < rounds_; ++i) {
      item = item * 6364136223846793005U + 1442695040888963407U;
    }
    return item;
  }
  std::uint64_t rounds_;
};

struct Drop final : pystream::Sink<std::uint64_t, std::uint64_t> {
  void operator()(std::uint64_t item) override { cursor() += item; }
};

std::uint64_t rounds_of_a_microsecond() {
  Work work(1'000'000);
  const double began = cpu_ns();
  volatile std::uint64_t keep = work(1);
  static_cast<void>(keep);
  return static_cast<std::uint64_t>(1e9 / (cpu_ns() - began));
}

ForkPipeline pipeline(std::uint64_t items, std::uint64_t rounds, int stages) {
  std::vector<pystream::HostedFactory> factories;
  factories.push_back([=] { return pystream::detail::host(std::make_unique<Numbers>(items)); });
  for (int i = 0; i < stages; ++i) {
    factories.push_back([=] { return pystream::detail::host(std::make_unique<Work>(rounds)); });
  }
  factories.push_back([] { return pystream::detail::host(std::make_unique<Drop>()); });
  return ForkPipeline(std::move(factories));
}

/// Processor time that a run's processes take, in seconds: a machine that others use shows the same.
double cpu_of_children() {
  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Cost {
  double items_per_s = 0;
  double cpu_ms = 0;
};

Cost run_once(const std::filesystem::path& folder, std::uint64_t rounds, std::uint64_t items) {
  ForkPipeline sut = pipeline(items, rounds, 2);
  if (!folder.empty()) {
    sut.set_profile({.folder = folder});
  }
  const double cpu = cpu_of_children();
  sut.run();
  return {.items_per_s = sut.summary().back().items_per_s, .cpu_ms = (cpu_of_children() - cpu) * 1e3};
}

/// Processor time of a run without and with a profile, in milliseconds.
struct Pair {
  double plain_ms = 0;
  double with_ms = 0;
  double more() const { return with_ms - plain_ms; }
};

/// Both at the same time, each in a process of its own: they meet the same machine, so their processor times compare
/// however busy it is. Their rates do not, as they take the cores from each other.
Pair cpu_side_by_side(const std::filesystem::path& folder, std::uint64_t rounds, std::uint64_t items) {
  auto* costs = static_cast<double*>(
      ::mmap(nullptr, 2 * sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::array<pid_t, 2> runs{};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    runs[i] = ::fork();
    if (runs[i] == 0) {
      costs[i] = run_once(i == 0 ? std::filesystem::path() : folder, rounds, items).cpu_ms;
      ::_exit(0);
    }
  }
  for (const pid_t run : runs) {
    ::waitpid(run, nullptr, 0);
  }
  const Pair found{.plain_ms = costs[0], .with_ms = costs[1]};
  ::munmap(costs, 2 * sizeof(double));
  return found;
}

/// In a process of its own: one that forks workers never opens a database.
void show_recorded_rows(const std::filesystem::path& folder) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    profile::Database database = profile::open_for_reading(folder);
    const auto number = [&](const char* sql) { return static_cast<double>(database.query_integer(sql).value_or(0)); };
    const double rows =
        number("SELECT count(*) FROM items JOIN stages ON stages.id = stage WHERE run = (SELECT max(id) FROM runs)");
    const double ns =
        number("SELECT max(last_end_ns) - min(first_end_ns) FROM stages WHERE run = (SELECT max(id) FROM runs)");
    const double lost = number("SELECT rows_lost FROM RunSummary ORDER BY run DESC LIMIT 1");
    const double items = number("SELECT items_per_s FROM RunSummary ORDER BY run DESC LIMIT 1");
    std::printf("  %.0f rows/s recorded over %.1f s, %.0f lost, at %.2f M items/s\n", rows / ns * 1e9, ns * 1e-9, lost,
                items * 1e-6);
    std::fflush(stdout);
    ::_exit(0);
  }
  ::waitpid(pid, nullptr, 0);
}

int measure_rows() {
  const pystream::test::TempFolder folder;
  std::printf("single items, five workers of up to 200,000 rows/s each:\n");
  std::fflush(stdout);
  ForkPipeline many = pipeline(4'000'000, rounds_of_a_microsecond(), 3);
  many.set_profile({.folder = folder.path(), .max_history = std::uint64_t{1} << 40, .rows_per_second = 200'000});
  many.run();
  show_recorded_rows(folder.path());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int repetitions = argc > 1 ? std::atoi(argv[1]) : 5;
  std::vector<double> clock, fast, slow, plain_cpu, with_cpu, plain_rate, with_rate;
  for (int i = 0; i < repetitions; ++i) {
    clock.push_back(clock_cost());
    fast.push_back(recorder_cost(false));
    slow.push_back(recorder_cost(true));
  }
  if (repetitions == 0) {
    return measure_rows();
  }
  std::printf(
      "recorder: %.2f ns an item and stage where items are sampled, %.2f ns where each is timed, %.2f of them for a "
      "look at the clock\n",
      median(fast), median(slow), median(clock));
  std::fflush(stdout);
  const pystream::test::TempFolder folder;
  const std::uint64_t rounds = rounds_of_a_microsecond();
  constexpr std::uint64_t kItems = 1'000'000;
  std::vector<double> rate_change, cpu_change;  // in percent, of each pair
  std::vector<double> begin_and_end_ms;
  for (int i = 0; i < repetitions; ++i) {
    // In turn, and each first as often as the other: what the machine does otherwise meets both.
    const bool plain_first = i % 2 == 0;
    double plain = plain_first ? run_once({}, rounds, kItems).items_per_s : 0;
    const double with = run_once(folder.path(), rounds, kItems).items_per_s;
    plain = plain_first ? plain : run_once({}, rounds, kItems).items_per_s;
    plain_rate.push_back(plain);
    with_rate.push_back(with);
    rate_change.push_back((with / plain - 1) * 100);
    const Pair empty = cpu_side_by_side(folder.path(), rounds, 1);
    const Pair full = cpu_side_by_side(folder.path(), rounds, kItems);
    begin_and_end_ms.push_back(empty.more());
    plain_cpu.push_back(full.plain_ms * 1e6 / kItems);
    with_cpu.push_back((full.with_ms - empty.more()) * 1e6 / kItems);
    cpu_change.push_back((with_cpu.back() / plain_cpu.back() - 1) * 100);
  }
  std::printf(
      "two 1 us stages: %.0f items/s without, %.0f with a profile; %.0f and %.0f ns of processor time an item\n",
      median(plain_rate), median(with_rate), median(plain_cpu), median(with_cpu));
  std::printf("change by the profile, of %d pairs: items/s %s, processor time %s and %.0f ms for each run\n",
              repetitions, spread(rate_change).c_str(), spread(cpu_change).c_str(), median(begin_and_end_ms));
  std::fflush(stdout);
  return measure_rows();
}
