#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <numeric>
#include <optional>
#include <pystream/pystream.hpp>
#include <string>
#include <thread>
#include <vector>

#include "support/run_program.hpp"
#include "support/sanitized.hpp"
#include "support/temp_folder.hpp"

/// Workers that die at named places (base/kill_point.hpp). Items come one by one, so the neighbours sleep; and in the
/// library of these tests a sleep lasts until somebody ends it, so a lost wake-up is a hang.
namespace pystream::test {
namespace {

using namespace std::chrono_literals;

constexpr int kItems = 20;

struct Kill {
  std::string point;
  int worker = 0;
  int nth = 1;
};

/// Kills that are to happen one after another.
class Orders {
 public:
  Orders(const TempFolder& folder, const std::vector<Kill>& kills) {
    for (const Kill& kill : kills) {
      tokens_.push_back(folder / ("token" + std::to_string(tokens_.size())));
      folder.write("token" + std::to_string(tokens_.size() - 1), "");
      text_ += (text_.empty() ? "" : ",") + kill.point + ":" + std::to_string(kill.worker) + ":" +
               std::to_string(kill.nth) + ":" + tokens_.back();
    }
  }
  const std::string& text() const { return text_; }
  bool carried_out() const {
    return std::none_of(tokens_.begin(), tokens_.end(),
                        [](const std::string& token) { return std::filesystem::exists(token); });
  }

 private:
  std::vector<std::string> tokens_;
  std::string text_;
};

/// Workers: 0 source, 1 one-to-one with a checkpoint, 2 filter, 3 several outputs, 4 sink.
constexpr const char* kPlan = R"({"plugins": ["libpystream_testing.so"],
  "source": {"type": "generate", "params": {"count": 20, "period": "PERIODms", "size": 32}},
  "stages": [{"name": "Count", "type": "test.count"}, {"name": "Some", "type": "test.filter", "params": {"n": 3}},
             {"name": "Twice", "type": "test.repeat"}],
  "sink": {"type": "file_writer", "params": {"newline": "never", "path": "out.bin"}},
  "profiler": {"enabled": PROFILE}})";

/// How often the worker comes to the point when nothing happens, if every item and the end come alone.
int visits(const std::string& point, int worker) {
  constexpr int kPassed = 13;  // 0, 3, 6 ... do not pass the filter
  if (point == "before_exec" || point == "attaching" || point == "in_transaction") {
    return 1;
  }
  if (point == "before_reserve" || point == "in_payload") {
    return worker < 2 ? kItems : worker == 2 ? kPassed : 2 * kPassed;
  }
  // One more for the end, behind which nothing comes; and a release more than commits, of what a predecessor had done.
  const int commits = (worker < 3 ? kItems : worker == 3 ? kPassed : 2 * kPassed) + 1;
  return commits + (point == "before_release" || point == "before_room" ? 1 : 0);
}

struct SpawnedRun {
  std::string out;
  bool killed = false;
};

SpawnedRun run_plan(const std::string& plan, const std::vector<Kill>& kills) {
  const TempFolder folder;
  folder.write("plan.json", plan);
  const Orders orders(folder, kills);
  const ProgramRun run = run_program(
      {PYSTREAM_TEST_COORD, "run", "plan.json", "--quiet"},
      {.environment = {std::string("LD_LIBRARY_PATH=") + PYSTREAM_KILL_POINT_LIBRARY,
                       "PYSTREAM_WORKER=" PYSTREAM_TEST_WORKER, "PYSTREAM_PLUGIN_PATH=" PYSTREAM_TEST_PLUGINS,
                       "PYSTREAM_KILL_AT=" + orders.text(), "PYSTREAM_PROFILES=" + folder / "profiles"},
       .directory = folder.path(),
       .deadline = 40s});
  EXPECT_EQ(run.exit_code, 0) << orders.text() << "\n" << run.err;
  return {.out = folder.read("out.bin"), .killed = orders.carried_out()};
}

SpawnedRun run_spawned(const std::vector<Kill>& kills, bool profile = false, int period_ms = 2) {
  std::string plan = kPlan;
  plan.replace(plan.find("PERIOD"), 6, std::to_string(period_ms));
  plan.replace(plan.find("PROFILE"), 7, profile ? "true" : "false");
  return run_plan(plan, kills);
}

const std::string& undisturbed() {
  static const std::string kOut = run_spawned({}).out;
  return kOut;
}

/// True once all kills of one run came to pass, which `run` says. On a loaded machine several items may come at once,
/// and then a worker comes to a place less often; so there are some tries. Each checks its own output.
bool come_to_pass(const std::function<bool()>& run) {
  bool killed = false;
  for (int tries = 0; tries < 10 && !killed && !testing::Test::HasFailure(); ++tries) {
    killed = run();
  }
  return killed;
}

/// With more time between the items from try to try: all may have come before a worker has even started.
bool come_to_pass(const std::vector<Kill>& kills, bool profile = false) {
  int period_ms = 1;
  return come_to_pass([&] {
    period_ms = std::min(2 * period_ms, 128);
    const SpawnedRun run = run_spawned(kills, profile, period_ms);
    EXPECT_EQ(run.out, undisturbed());
    return run.killed;
  });
}

struct Place {
  const char* point;
  int worker;
};

void PrintTo(const Place& place, std::ostream* out) {
  *out << place.point << " of worker " << place.worker;
}

std::vector<Place> places() {
  std::vector<Place> all;
  for (int worker = 0; worker < 5; ++worker) {
    for (const char* point : {"before_exec", "attaching", "before_commit"}) {
      all.push_back({point, worker});
    }
    for (const char* point : {"before_reserve", "in_payload", "before_wake"}) {
      if (worker < 4) {
        all.push_back({point, worker});
      }
    }
    for (const char* point : {"before_release", "before_room", "asleep"}) {
      if (worker > 0) {
        all.push_back({point, worker});
      }
    }
  }
  return all;
}

class KillPoint : public ::testing::TestWithParam<Place> {};

TEST_P(KillPoint, OfTheFirstItem) {
  EXPECT_TRUE(come_to_pass({{GetParam().point, GetParam().worker, 1}}));
}

/// Only the end comes after it.
TEST_P(KillPoint, OfTheLastItem) {
  bool killed = false;
  for (int nth = visits(GetParam().point, GetParam().worker); nth > 0 && !killed; --nth) {
    const SpawnedRun run = run_spawned({{GetParam().point, GetParam().worker, nth}});
    killed = run.killed;
    ASSERT_EQ(run.out, undisturbed());
  }
  EXPECT_TRUE(killed || come_to_pass({{GetParam().point, GetParam().worker, 1}}));
}

INSTANTIATE_TEST_SUITE_P(Spawned, KillPoint, ::testing::ValuesIn(places()), [](const auto& info) {
  return std::string(info.param.point) + "_" + std::to_string(info.param.worker);
});

/// A worker, and its successor while it puts right what the first has left.
TEST(KillPoints, TheSuccessorDiesToo) {
  for (const char* first : {"in_payload", "before_commit", "before_wake", "before_release", "asleep"}) {
    for (const char* second : {"before_exec", "attaching", "before_release", "before_room", "before_commit"}) {
      EXPECT_TRUE(come_to_pass({{first, 2, 5}, {second, 2, 1}})) << first << ", then " << second;
    }
  }
}

TEST(KillPoints, NeighboursDieInTurn) {
  for (const char* first : {"before_commit", "before_wake"}) {
    for (const char* second : {"in_payload", "before_release", "asleep"}) {
      EXPECT_TRUE(come_to_pass({{first, 1, 4}, {second, 2, 7}, {first, 3, 9}})) << first << ", " << second;
    }
  }
}

/// Workers 1 and 2 pass items on where they lie. A link has memory for two of them, so a worker that slept on an input
/// it could give back would stop the source, and with it everything.
constexpr const char* kForwardPlan = R"({
  "source": {"type": "generate", "params": {"count": 20, "size": "24KiB"}},
  "stages": [{"name": "One", "type": "wait", "params": {"time": "0ns"}},
             {"name": "Other", "type": "wait", "params": {"time": "0ns"}}],
  "sink": {"type": "file_writer", "params": {"newline": "never", "path": "out.bin"}},
  "links": {"capacity": {"bytes": "64KiB"}}, "profiler": {"enabled": false}})";

TEST(KillPoints, OfWorkersThatPassItemsOn) {
  const std::string expected = run_plan(kForwardPlan, {}).out;
  ASSERT_EQ(expected.size(), std::size_t{20} * 24 * 1024);
  for (int worker = 0; worker < 4; ++worker) {
    for (const char* point :
         {"attaching", "before_reserve", "before_commit", "before_wake", "before_release", "before_room", "asleep"}) {
      for (const int nth : {1, 2, 7}) {
        EXPECT_EQ(run_plan(kForwardPlan, {{point, worker, nth}}).out, expected) << point << " of " << worker;
      }
    }
  }
}

/// Workers: 0 source, 1 and 2 replicas, 3 collects from them and filters, 4 sink. Where a link holds one item for each
/// replica, each wake-up counts: of a replica for its item, of one that has to step over, and of the collector.
constexpr const char* kReplicasPlan = R"({"plugins": ["libpystream_testing.so"],
  "source": {"type": "generate", "params": {"count": 20, "period": "1ms", "size": 32}},
  "stages": [{"name": "Twice", "type": "test.repeat" REPLICAS},
             {"name": "Some", "type": "test.filter", "params": {"n": 3}}],
  "sink": {"type": "file_writer", "params": {"newline": "never", "path": "out.bin"}},
  "links": {"capacity": {"items": 1}}, "profiler": {"enabled": false}})";

std::string replicas_plan(const char* replicas) {
  std::string plan = kReplicasPlan;
  return plan.replace(plan.find("REPLICAS"), 8, replicas);
}

constexpr const char* kInTurn = R"(, "replicas": 2)";
constexpr const char* kByKey = R"(, "replicas": 2, "share": {"key": {}})";
constexpr const char* kByLoad = R"(, "replicas": 2, "share": "least_loaded")";

class ReplicasKillPoint : public ::testing::TestWithParam<const char*> {};

TEST_P(ReplicasKillPoint, OfOneOrOfWhatCollectsFromThem) {
  const std::string plan = replicas_plan(GetParam());
  const std::string expected = run_plan(replicas_plan(""), {}).out;
  ASSERT_FALSE(expected.empty());
  ASSERT_EQ(run_plan(plan, {}).out, expected);
  int carried_out = 0;
  for (int worker = 0; worker < 5; ++worker) {
    for (const char* point :
         {"attaching", "before_reserve", "before_commit", "before_wake", "before_release", "before_room", "asleep"}) {
      for (const int nth : {1, 7}) {
        const SpawnedRun run = run_plan(plan, {{point, worker, nth}});
        ASSERT_EQ(run.out, expected) << point << " of " << worker << ", " << nth;
        carried_out += run.killed ? 1 : 0;
      }
    }
  }
  EXPECT_GT(carried_out, 35) << "of 70";
}

TEST_P(ReplicasKillPoint, OfOneAndItsSuccessorAndItsNeighbours) {
  const std::string plan = replicas_plan(GetParam());
  const std::string expected = run_plan(replicas_plan(""), {}).out;
  for (const char* first : {"before_commit", "before_wake", "asleep"}) {
    for (const char* second : {"attaching", "before_room", "before_commit"}) {
      ASSERT_EQ(run_plan(plan, {{first, 1, 3}, {second, 1, 1}}).out, expected) << first << ", then " << second;
      ASSERT_EQ(run_plan(plan, {{first, 3, 5}, {second, 3, 1}}).out, expected) << first << ", then " << second;
      ASSERT_EQ(run_plan(plan, {{first, 0, 4}, {second, 2, 2}, {first, 3, 6}}).out, expected) << first << second;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shares, ReplicasKillPoint, ::testing::Values(kInTurn, kByKey, kByLoad));

TEST(KillPoints, InATransactionOfProfileRows) {
  for (int worker = 0; worker < 5; ++worker) {
    EXPECT_TRUE(come_to_pass({{"in_transaction", worker, 1}}, true)) << worker;
  }
}

/// The letter is in the database once, though it was being written when the worker died.
TEST(KillPoints, InTheTransactionOfADeadLetter) {
  const TempFolder folder;
  folder.write("in.txt", "a\nb\nc\n");
  folder.write("plan.json", R"({"plugins": ["libpystream_testing.so"],
    "source": {"type": "lines", "params": {"path": "in.txt"}},
    "stages": [{"name": "Bad", "type": "test.crash", "params": {"how": "throw", "sequence": 1, "attempts": 99}}],
    "sink": {"type": "file_writer", "params": {"path": "out.txt"}}})");
  const Orders orders(folder, {{"in_transaction", 1, 1}});
  const std::vector<std::string> environment{
      std::string("LD_LIBRARY_PATH=") + PYSTREAM_KILL_POINT_LIBRARY, "PYSTREAM_WORKER=" PYSTREAM_TEST_WORKER,
      "PYSTREAM_PLUGIN_PATH=" PYSTREAM_TEST_PLUGINS, "PYSTREAM_KILL_AT=" + orders.text(),
      "PYSTREAM_PROFILES=" + folder / "profiles"};
  const RunOptions options{.environment = environment, .directory = folder.path(), .deadline = 40s};
  const ProgramRun run = run_program({PYSTREAM_TEST_COORD, "run", "plan.json", "--quiet"}, options);
  EXPECT_EQ(run.exit_code, 3) << run.err;  // an item was given up
  EXPECT_TRUE(orders.carried_out());
  EXPECT_EQ(folder.read("out.txt"), "a\nc\n");
  const std::string letters = run_program({PYSTREAM_TEST_COORD, "dead-letters", "list"}, options).out;
  EXPECT_EQ(std::count(letters.begin(), letters.end(), '\n'), 2) << letters;
}

/// Workers that are forked from a copy of this process: 0 is this one, 1 and 2 are the stages. Every item is the last
/// one until its result is there, so nothing that comes later can end a sleep by chance.
class ForkedKillPoint : public ::testing::TestWithParam<Place> {
 protected:
  void TearDown() override { ::unsetenv("PYSTREAM_KILL_AT"); }

  bool run(int nth) const {
    const TempFolder folder;
    const Orders orders(folder, {{GetParam().point, GetParam().worker, nth}});
    ::setenv("PYSTREAM_KILL_AT", orders.text().c_str(), 1);
    Pipeline pipeline;
    pipeline.add([](int x) { return x + 1; }, "One");
    pipeline.add([](int x) { return x * 2; }, "Two");
    pipeline.parallelize({.input_timeout = 20s, .block_output = true, .output_timeout = 20s, .results = Results::all});
    for (int i = 0; i < kItems; ++i) {
      EXPECT_TRUE(pipeline.forward(i));
      EXPECT_EQ(pipeline.get_results<int>(), 2 * (i + 1)) << orders.text();
      if (testing::Test::HasFailure()) {
        return false;
      }
    }
    pipeline.cleanup();
    return orders.carried_out();
  }
};

TEST_P(ForkedKillPoint, LosesNothing) {
  for (const int nth : {1, 7}) {
    const bool once = GetParam().point == std::string("before_exec") || GetParam().point == std::string("attaching");
    if (!once || nth == 1) {
      ASSERT_TRUE(come_to_pass([&] { return run(nth); })) << nth;
    }
  }
}

TEST_P(ForkedKillPoint, OfTheLastItem) {
  bool killed = false;
  for (int nth = visits(GetParam().point, 1); nth > 0 && !killed && !HasFailure(); --nth) {
    killed = run(nth);
  }
  EXPECT_TRUE(killed);
}

/// Fast stages of plain types take many items in one call (worker/run_lane.hpp): everything comes out once and in
/// order wherever in that they die, also if their successors die there too.
class KillPointOfRuns : public ::testing::TestWithParam<Place> {
 protected:
  static constexpr int kMany = 300'000;
  void TearDown() override { ::unsetenv("PYSTREAM_KILL_AT"); }

  /// True if all these kills came to pass.
  static bool run(const std::vector<Kill>& kills) {
    const TempFolder folder;
    const Orders orders(folder, kills);
    ::setenv("PYSTREAM_KILL_AT", orders.text().c_str(), 1);
    Pipeline pipeline;
    pipeline.add([](int x) { return x + 1; }, "One");
    pipeline.add([](int x) { return x % 3 == 0 ? std::nullopt : std::optional(x); }, "Two");
    pipeline.parallelize({.input_timeout = 20s, .block_output = true, .output_timeout = 20s, .results = Results::all});
    std::thread feeder([&] {
      std::vector<int> items(1000);
      for (int first = 0; first < kMany; first += 1000) {
        std::iota(items.begin(), items.end(), first);
        EXPECT_EQ(pipeline.forward_all(items), items.size());
      }
    });
    for (int i = 1; i <= kMany && !testing::Test::HasFailure(); ++i) {
      if (i % 3 != 0) {
        EXPECT_EQ(pipeline.get_results<int>(), i) << orders.text();
      }
    }
    feeder.join();
    pipeline.cleanup();
    return orders.carried_out();
  }
};

TEST_P(KillPointOfRuns, LosesNothing) {
  if (kSanitized) {
    GTEST_SKIP() << "instrumented stages take longer than a microsecond, and only faster ones get runs";
  }
  const std::string point = GetParam().point;
  const int worker = GetParam().worker;
  for (const int nth : {1, 20}) {
    ASSERT_TRUE(come_to_pass([&] { return run({{point, worker, nth}}); })) << nth;
  }
  for (const char* then : {"before_run", "in_run", "before_commit"}) {
    ASSERT_TRUE(come_to_pass([&] { return run({{point, worker, 3}, {then, worker, 1}}); })) << then;
  }
}

INSTANTIATE_TEST_SUITE_P(Forked, KillPointOfRuns,
                         ::testing::Values(Place{"before_run", 1}, Place{"before_run", 2}, Place{"in_run", 1},
                                           Place{"in_run", 2}),
                         [](const auto& info) {
                           return std::string(info.param.point) + "_" + std::to_string(info.param.worker);
                         });

INSTANTIATE_TEST_SUITE_P(Forked, ForkedKillPoint, ::testing::ValuesIn([] {
                           std::vector<Place> inner = places();
                           std::erase_if(inner,
                                         [](const Place& place) { return place.worker != 1 && place.worker != 2; });
                           return inner;
                         }()),
                         [](const auto& info) {
                           return std::string(info.param.point) + "_" + std::to_string(info.param.worker);
                         });

}  // namespace
}  // namespace pystream::test
