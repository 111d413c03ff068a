#include <sys/syscall.h>

#include <memory>

#include "support/child.hpp"
#include "support/pipeline_run.hpp"
#include "support/segment_of.hpp"
#include "support/tracee.hpp"
#include "support/visits.hpp"

/// The workers of a running pipeline, led on one instruction at a time and killed there with SIGKILL. The suite takes a
/// sample, as large as the machine's speed allows; with PYSTREAM_TEST_FULL every instruction of an item's way through a
/// worker is one to die at (scripts/prove_kills.sh).
namespace pystream {
namespace {

using namespace pystream::test;
using namespace std::chrono_literals;

constexpr std::uint64_t kEnough = 10'000'000;
constexpr std::uint64_t kItem = 2'500;           ///< instructions from the sleep through an item, about
constexpr std::uint64_t kRecovery = 16'000;      ///< instructions from the first link to the first commit, about
constexpr double kLongestRecoveryS = 5;          ///< that is stepped through
constexpr std::uint64_t kBehindTheCommit = 600;  ///< instructions: wake-up, release, counters, the next look
/// PYSTREAM_TEST_FULL=n: every n-th instruction; 0: a sample.
std::uint64_t full_run_stride() {
  const char* given = std::getenv("PYSTREAM_TEST_FULL");
  return given != nullptr ? std::max<std::uint64_t>(std::strtoull(given, nullptr, 10), 1) : 0;
}

/// For all kills of a test; on a machine of the usual speed they take a second or two.
Visits::Seconds budget() {
  return Visits::Seconds(full_run_stride() > 0 ? 1e9 : 30);
}

std::string bytes_of(std::uint64_t number, std::size_t size = 8) {
  return {reinterpret_cast<const char*>(&number), size};
}

/// The worker that is stepped, and what the pipeline writes for item i.
struct Subject {
  const char* name;
  std::string stage;
  int worker;
  std::function<std::string(std::uint64_t item)> output;
};

void PrintTo(const Subject& subject, std::ostream* out) {
  *out << subject.name;
}

const Subject kSubjects[] = {
    {"OneToOne", R"({"name": "A", "type": "test.add"})", 1, [](std::uint64_t item) { return bytes_of(item + 1); }},
    {"Filtered", R"({"name": "A", "type": "test.filter", "params": {"n": 3}})", 1,
     [](std::uint64_t item) { return item % 3 != 0 ? bytes_of(item) : ""; }},
    {"SeveralOutputs", R"({"name": "A", "type": "test.repeat", "params": {"n": 3}})", 1,
     [](std::uint64_t item) {
       std::string all;
       for (std::uint64_t copy = 0; copy < 3; ++copy) {
         all += bytes_of(item) + bytes_of(copy, 4);
       }
       return all;
     }},
    {"Checkpointed", R"({"name": "A", "type": "test.count"})", 1,
     [](std::uint64_t item) { return bytes_of(item) + bytes_of(item + 1); }},
    {"Sink", R"({"name": "A", "type": "test.add"})", 2, [](std::uint64_t item) { return bytes_of(item + 1); }},
};

/// Everything that came out, item by item from the first, and nothing else.
void check_output(const std::string& output, const Subject& subject) {
  std::size_t at = 0;
  for (std::uint64_t item = 0; at < output.size(); ++item) {
    const std::string expected = subject.output(item);
    ASSERT_EQ(output.compare(at, expected.size(), expected), 0) << "item " << item << ", byte " << at;
    at += expected.size();
  }
}

class StepTest : public ::testing::TestWithParam<Subject> {
 protected:
  StepTest() {
    // About as slow as the steps, or a batch would grow while it is stepped.
    const auto period_ms = static_cast<int>(std::clamp(1e3 * step_s_ * kItem, 40.0, 5'000.0));
    const std::string plan =
        R"({"plugins": ["libpystream_testing.so"],
            "source": {"type": "generate", "params": {"period": ")" +
        std::to_string(period_ms) + R"(ms", "size": 8}}, "stages": [)" + GetParam().stage +
        R"(], "sink": {"type": "file_writer", "params": {"newline": "never", "path": ")" + (folder_ / "output") +
        R"("}}, "profiler": {"enabled": false}})";
    run_.emplace(plan, folder_, std::vector<std::string>{"--quiet"});
    EXPECT_TRUE(wait_until([&] { return run_->workers().size() == 3; }));
    view_ = segment_of(run_->pid()).map_supervisor();
  }

  const shm::WorkerPage& page() const { return *view_.workers[static_cast<std::size_t>(GetParam().worker)].page; }
  std::uint32_t incarnation() const {
    return view_.workers[static_cast<std::size_t>(GetParam().worker)].control->incarnation.load();
  }
  bool attached() const { return page().incarnation.load() == incarnation() + 1; }
  shm::Phase phase() const { return static_cast<shm::Phase>(page().phase.load()); }

  /// The worker, at work since its last start and now without an item.
  pid_t wait_for_idle_worker() {
    pid_t found = 0;
    EXPECT_TRUE(wait_until([&] {
      if (!attached() || page().first_commit_ns.load() == 0 || phase() != shm::Phase::waiting) {
        return false;
      }
      found = worker_pid();
      return found != 0 && read_file("/proc/" + std::to_string(found) + "/syscall").starts_with("202 ");
    })) << run_->errors();
    return found;
  }
  pid_t worker_pid() const {
    const std::string words = std::string("work") + '\0' + std::to_string(GetParam().worker) + '\0';
    for (const pid_t pid : children_of(run_->pid())) {
      if (read_file("/proc/" + std::to_string(pid) + "/cmdline").find(words) != std::string::npos) {
        return pid;
      }
    }
    return 0;
  }
  /// Instructions from the sleep through an item, its commit and its release. (The next ones come while this one is
  /// stepped, so it does not sleep again.)
  std::uint64_t steps_of_an_item() {
    Tracee worker(wait_for_idle_worker());
    const std::uint64_t commits = page().commits.load();
    std::uint64_t steps = 0;
    while (steps < kEnough && page().commits.load() == commits && worker.step()) {
      ++steps;
    }
    return steps + kBehindTheCommit;
  }
  /// The worker dies after so many instructions from its sleep.
  void kill_at(std::uint64_t steps) {
    Tracee worker(wait_for_idle_worker());
    for (std::uint64_t i = 0; i < steps && worker.step(); ++i) {
    }
  }
  /// The next start of the worker, from its birth on.
  std::unique_ptr<Tracee> catch_successor(const std::vector<pid_t>& before) {
    std::unique_ptr<Tracee> successor;
    wait_until([&] {
      for (const pid_t pid : children_of(run_->pid())) {
        if (std::find(before.begin(), before.end(), pid) == before.end()) {
          successor = std::make_unique<Tracee>(pid);
          return true;
        }
      }
      return false;
    });
    return successor;
  }
  /// To where the new worker maps its first link: everything behind is recovery and the first items.
  bool run_to_recovery(Tracee& worker, std::uint32_t incarnation_before) {
    while (incarnation() == incarnation_before || !attached()) {
      if (!worker.run_to_system_call()) {
        return false;
      }
    }
    // One that was caught late has committed already.
    while (!worker.enters(SYS_madvise) && page().first_commit_ns.load() == 0) {
      if (!worker.run_to_system_call()) {
        return false;
      }
    }
    return true;
  }
  void finish() {
    run_->signal(SIGTERM);
    ASSERT_EQ(run_->wait(), 0) << run_->errors();
    check_output(read_file(folder_ / "output"), GetParam());
  }

  const double step_s_ = seconds_of_a_step();
  const TempFolder folder_;
  std::optional<PipelineRun> run_;
  shm::SupervisorView view_;
};

TEST_P(StepTest, AKillAtAnyInstructionOfAnItemChangesNothing) {
  const std::uint64_t steps = steps_of_an_item();
  ASSERT_LT(steps, kEnough);
  const std::uint64_t stride = full_run_stride() > 0 ? full_run_stride() : steps / 20 + 1;
  Visits kills(steps + 1, stride, budget());
  for (std::uint64_t at = 0; at <= steps && !HasFatalFailure(); ++at) {
    kills.at(at, [&] { kill_at(at); });
  }
  finish();
  const std::uint64_t all = kills.done() + 1;  // that of the count
  EXPECT_GE(view_.workers[static_cast<std::size_t>(GetParam().worker)].control->incarnation.load(), all);
  kills.report("kills");
}

TEST_P(StepTest, AKillAtAnyInstructionOfTheRecoveryChangesNothing) {
  const std::uint64_t item = steps_of_an_item();
  const std::uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  const int wanted = full_run_stride() > 0 ? 150 : 8;
  std::uint64_t longest = 0;
  int kills = 0;
  const auto deepest = std::clamp<std::uint64_t>(
      full_run_stride() > 0 ? kRecovery : static_cast<std::uint64_t>(kLongestRecoveryS / step_s_), 100, kRecovery);
  const Deadline enough(std::chrono::duration_cast<std::chrono::nanoseconds>(budget()));
  for (int i = 0; i < 3 * wanted && kills < wanted && !(kills > 0 && enough.passed()) && !HasFatalFailure(); ++i) {
    const std::uint64_t stop_at = 1 + random() % deepest;
    std::vector<pid_t> before;
    std::uint32_t incarnation_before = 0;
    {
      Tracee worker(wait_for_idle_worker());
      before = children_of(run_->pid());
      incarnation_before = incarnation();
      for (std::uint64_t step = random() % item; step > 0 && worker.step(); --step) {
      }
    }
    const auto successor = catch_successor(before);
    ASSERT_TRUE(successor);
    ASSERT_TRUE(run_to_recovery(*successor, incarnation_before));
    std::uint64_t steps = 0;
    while (steps < stop_at && page().first_commit_ns.load() == 0 && successor->step()) {
      ++steps;
    }
    longest = std::max(longest, steps);
    kills += steps > 0 ? 1 : 0;  // else it was caught too late
  }
  finish();
  EXPECT_GT(kills, 0);
  EXPECT_TRUE(kills == wanted || enough.passed()) << kills << " of " << wanted;
  std::printf("%d of %d double kills, up to %llu instructions into the recovery\n", kills, wanted,
              static_cast<unsigned long long>(longest));
}

INSTANTIATE_TEST_SUITE_P(Workers, StepTest, ::testing::ValuesIn(kSubjects),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace pystream
