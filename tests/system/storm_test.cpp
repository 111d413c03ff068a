#include <regex>

#include "support/pipeline_run.hpp"

/// Workers killed at random: what comes out must be what comes out without a kill, byte for byte.
namespace pystream {
namespace {

using namespace pystream::test;
using namespace std::chrono_literals;

struct Storm {
  const char* name;
  std::string stages;
  std::string source = R"({"type": "generate", "params": {"count": 20000, "size": 0, "max_size": 300}})";
  std::string mode = "parallel";
  std::string links{};
  int rounds = 60;
  std::string same_as{};  ///< stages that give the same without replicas; empty: `stages` themselves
  std::string aside{};    ///< stages that give the same as the sink of a branch, which writes to @OUTPUT@.tap
};

/// Where a branch of a storm with that output has its sink.
std::string tap_of(const std::string& output) {
  return output + ".tap";
}

void PrintTo(const Storm& storm, std::ostream* out) {
  *out << storm.name;
}

std::string plan_of(const Storm& storm, const std::string& output) {
  const std::string stages = std::regex_replace(storm.stages, std::regex("@OUTPUT@"), output);
  return R"({"mode": ")" + storm.mode + R"(", "plugins": ["libpystream_testing.so"], "source": )" + storm.source +
         R"(, "stages": [)" + stages + R"(], )" + storm.links +
         R"("sink": {"type": "file_writer", "params": {"newline": "never", "path": ")" + output +
         R"("}}, "profiler": {"enabled": false}})";
}

enum class Shot { one, adjacent, all, stop };

void shoot(const PipelineRun& run, Shot shot, std::mt19937_64& random) {
  const std::vector<pid_t> workers = run.workers();
  if (workers.empty()) {
    return;
  }
  const std::size_t target = random() % workers.size();
  switch (shot) {
    case Shot::one:
      ::kill(workers[target], SIGKILL);
      break;
    case Shot::adjacent:
      ::kill(workers[target], SIGKILL);
      ::kill(workers[(target + 1) % workers.size()], SIGKILL);
      break;
    case Shot::all:
      for (const pid_t worker : workers) {
        ::kill(worker, SIGKILL);
      }
      break;
    case Shot::stop:
      ::kill(workers[target], SIGSTOP);
      ::usleep(static_cast<useconds_t>(random() % 3000));
      ::kill(workers[target], SIGCONT);
      break;
  }
}

class StormTest : public ::testing::TestWithParam<Storm> {};

TEST_P(StormTest, TheOutputIsTheSameByteForByte) {
  const Storm& storm = GetParam();
  const std::uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  const TempFolder folder;
  Storm reference = storm;
  reference.stages = storm.same_as.empty() ? storm.stages : storm.same_as;
  const std::string expected = output_of(plan_of(reference, folder / "expected"), folder, folder / "expected");
  ASSERT_FALSE(expected.empty());
  reference.stages = storm.aside;
  const std::string aside =
      storm.aside.empty() ? "" : output_of(plan_of(reference, folder / "aside"), folder, folder / "aside");
  const int wanted = storm.rounds * (std::getenv("PYSTREAM_TEST_FULL") != nullptr ? 20 : 1);
  int kills = 0;
  int runs = 0;
  while (kills < wanted) {
    ++runs;
    PipelineRun run(plan_of(storm, folder / "output"), folder);
    ASSERT_TRUE(wait_until([&] { return !run.workers().empty() || run.ended(); }));
    while (!run.ended()) {
      ::usleep(static_cast<useconds_t>(random() % 20'000));
      if (kills < wanted + 200 * runs) {
        shoot(run, static_cast<Shot>(random() % 4), random);
        ++kills;
      }
    }
    ASSERT_EQ(run.wait(), 0) << "seed " << seed << "\n" << run.errors();
    const std::string output = read_file(folder / "output");
    const auto differs = std::mismatch(output.begin(), output.end(), expected.begin(), expected.end());
    ASSERT_TRUE(output == expected) << "seed " << seed << ": " << output.size() << " of " << expected.size()
                                    << " bytes, the first difference at " << differs.first - output.begin();
    if (!storm.aside.empty()) {
      ASSERT_TRUE(read_file(tap_of(folder / "output")) == aside) << "seed " << seed << ": the sink of a branch";
    }
  }
  std::printf("%d shots in %d runs\n", kills, runs);
}

const Storm kStorms[] = {
    {.name = "OneToOne", .stages = R"({"name": "A", "type": "test.add"}, {"name": "B", "type": "test.mix"})"},
    {.name = "Filter",
     .stages =
         R"({"name": "A", "type": "test.filter", "params": {"n": 3}}, {"name": "B", "type": "test.filter", "params": {"n": 100, "r": 1}}, {"name": "C", "type": "test.add"})"},
    {.name = "RunsOfPlainItems",
     .stages =
         R"({"name": "A", "type": "test.times"}, {"name": "B", "type": "test.without_multiples", "params": {"n": 7}}, {"name": "C", "type": "test.times", "params": {"n": 5}})",
     .source = R"({"type": "test.numbers", "params": {"count": 3000000}})"},
    {.name = "SeveralOutputs",
     .stages = R"({"name": "A", "type": "test.repeat", "params": {"n": 3}}, {"name": "B", "type": "test.mix"})"},
    {.name = "MoreOutputsThanALinkHolds",
     .stages = R"({"name": "A", "type": "test.repeat", "params": {"n": 20000}}, {"name": "B", "type": "test.mix"})",
     .source = R"({"type": "generate", "params": {"count": 6, "size": 200}})"},
    {.name = "Checkpoint",
     .stages =
         R"({"name": "A", "type": "test.count"}, {"name": "B", "type": "test.filter", "params": {"n": 2}}, {"name": "C", "type": "test.count"})"},
    {.name = "SerialGroup",
     .stages =
         R"({"name": "G", "mode": "serial", "stages": [{"name": "A", "type": "test.count"}, {"name": "B", "type": "test.filter", "params": {"n": 5}}, {"name": "C", "type": "test.repeat"}]}, {"name": "D", "type": "test.mix"})"},
    {.name = "ParallelChildInARow",
     .stages =
         R"({"name": "G", "mode": "serial", "stages": [{"name": "A", "type": "test.count"}, {"name": "P", "mode": "parallel", "stages": [{"name": "B", "type": "test.filter", "params": {"n": 3}}, {"name": "C", "type": "test.repeat", "params": {"n": 3}}]}, {"name": "D", "type": "test.count"}]})",
     .source = R"({"type": "generate", "params": {"count": 3000, "size": 0, "max_size": 300}})"},
    {.name = "SerialMain",
     .stages =
         R"({"name": "A", "type": "test.filter", "params": {"n": 3}}, {"name": "P", "mode": "parallel", "stages": [{"name": "B", "type": "test.count"}]}, {"name": "C", "type": "test.mix"})",
     .source = R"({"type": "generate", "params": {"count": 3000, "size": 0, "max_size": 300}})",
     .mode = "serial"},
    {.name = "LargeItems",
     .stages = R"({"name": "A", "type": "test.add"}, {"name": "B", "type": "test.count"})",
     .source = R"({"type": "generate", "params": {"count": 300, "size": 0, "max_size": "1MiB"}})",
     .rounds = 20},
    {.name = "Forwarded",
     .stages =
         R"({"name": "A", "type": "wait", "params": {"time": "0ns"}}, {"name": "B", "type": "test.filter", "params": {"n": 3}}, {"name": "C", "type": "wait", "params": {"time": "0ns"}}, {"name": "D", "type": "test.count"})",
     .source = R"({"type": "generate", "params": {"count": 400, "size": 0, "max_size": "1MiB"}})",
     .rounds = 20},
    {.name = "ForwardedThroughSmallLinks",
     .stages =
         R"({"name": "A", "type": "wait", "params": {"time": "0ns"}}, {"name": "B", "type": "wait", "params": {"time": "0ns"}}, {"name": "C", "type": "test.repeat", "params": {"n": 2}}, {"name": "D", "type": "wait", "params": {"time": "0ns"}, "link": {"capacity": {"items": 1}}})",
     .source = R"({"type": "generate", "params": {"count": 3000, "size": 0, "max_size": "48KiB"}})",
     .links = R"("links": {"capacity": {"bytes": "64KiB"}}, )",
     .rounds = 20},
    // The source makes runs; a burst leaves the run in work, and often waits for room in the middle.
    {.name = "RunsOfASourceOfBytes",
     .stages = R"({"name": "A", "type": "test.add"}, {"name": "B", "type": "test.mix"})",
     .source = R"({"type": "test.bursts", "params": {"count": 1000000, "burst": 7, "every": 50, "size": 32}})",
     .links = R"("links": {"capacity": {"items": 200}}, )"},
    // A link has less room than one call of the source wants.
    {.name = "BurstsOfASource",
     .stages = R"({"name": "A", "type": "test.count"}, {"name": "B", "type": "test.filter", "params": {"n": 3}})",
     .source = R"({"type": "test.bursts", "params": {"count": 20000, "burst": 50}})",
     .links = R"("links": {"capacity": {"items": 20}}, )"},
    {.name = "SerialBurstsOfASource",
     .stages =
         R"({"name": "A", "type": "test.count"}, {"name": "P", "mode": "parallel", "stages": [{"name": "B", "type": "test.mix"}]}, {"name": "C", "type": "test.filter", "params": {"n": 3}})",
     .source = R"({"type": "test.bursts", "params": {"count": 3000, "burst": 50}})",
     .mode = "serial",
     .links = R"("links": {"capacity": {"items": 20}}, )"},
    // The time bound cuts runs and blocks producers all the time.
    {.name = "LinksBoundedByTime",
     .stages =
         R"({"name": "A", "type": "test.count"}, {"name": "B", "type": "wait", "params": {"time": "20us"}}, {"name": "C", "type": "test.repeat", "params": {"n": 3}}, {"name": "D", "type": "test.mix"})",
     .source = R"({"type": "generate", "params": {"count": 5000, "size": 0, "max_size": 300}})",
     .links = R"("links": {"capacity": {"time": "100us"}}, )"},
    {.name = "Program",
     .stages =
         R"({"name": "A", "type": "test.add"}, {"name": "B", "type": "exec", "params": {"command": ["cat"], "framing": "u32"}})",
     .source = R"({"type": "generate", "params": {"count": 3000, "size": 0, "max_size": 300}})",
     .rounds = 20},
    {.name = "Replicas",
     .stages =
         R"({"name": "A", "type": "test.add", "replicas": 3}, {"name": "B", "type": "test.mix"}, {"name": "C", "type": "test.count"})",
     .rounds = 20,
     .same_as =
         R"({"name": "A", "type": "test.add"}, {"name": "B", "type": "test.mix"}, {"name": "C", "type": "test.count"})"},
    {.name = "ReplicasThatFilterAndRepeat",
     .stages =
         R"({"name": "A", "type": "test.filter", "params": {"n": 3}, "replicas": 2}, {"name": "B", "type": "test.repeat", "params": {"n": 3}, "replicas": 3})",
     .rounds = 20,
     .same_as =
         R"({"name": "A", "type": "test.filter", "params": {"n": 3}}, {"name": "B", "type": "test.repeat", "params": {"n": 3}})"},
    {.name = "ReplicasOfPipelines",
     .stages =
         R"({"name": "P", "mode": "parallel", "replicas": 2, "stages": [{"name": "A", "type": "test.filter", "params": {"n": 5}}, {"name": "S", "mode": "serial", "replicas": 2, "stages": [{"name": "B", "type": "test.add"}, {"name": "C", "type": "test.repeat", "params": {"n": 2}}]}]}, {"name": "D", "type": "test.count"})",
     .rounds = 20,
     .same_as =
         R"({"name": "A", "type": "test.filter", "params": {"n": 5}}, {"name": "B", "type": "test.add"}, {"name": "C", "type": "test.repeat", "params": {"n": 2}}, {"name": "D", "type": "test.count"})"},
    {.name = "ReplicasInARow",
     .stages =
         R"({"name": "G", "mode": "serial", "replicas": 2, "stages": [{"name": "A", "type": "test.repeat", "params": {"n": 2}}, {"name": "P", "mode": "parallel", "replicas": 2, "stages": [{"name": "B", "type": "test.filter", "params": {"n": 3}, "replicas": 2}, {"name": "C", "type": "test.add"}]}, {"name": "D", "type": "test.mix"}]})",
     .source = R"({"type": "generate", "params": {"count": 3000, "size": 0, "max_size": 300}})",
     .rounds = 20,
     .same_as =
         R"({"name": "A", "type": "test.repeat", "params": {"n": 2}}, {"name": "B", "type": "test.filter", "params": {"n": 3}}, {"name": "C", "type": "test.add"}, {"name": "D", "type": "test.mix"})"},
    {.name = "ReplicasOfLargeItems",
     .stages = R"({"name": "A", "type": "test.add", "replicas": 3}, {"name": "B", "type": "test.count"})",
     .source = R"({"type": "generate", "params": {"count": 300, "size": 0, "max_size": "1MiB"}})",
     .rounds = 20,
     .same_as = R"({"name": "A", "type": "test.add"}, {"name": "B", "type": "test.count"})"},
    {.name = "ReplicasOfAProgram",
     .stages =
         R"({"name": "A", "type": "exec", "params": {"command": ["cat"], "framing": "u32"}, "replicas": 2}, {"name": "B", "type": "test.add"})",
     .source = R"({"type": "generate", "params": {"count": 3000, "size": 0, "max_size": 300}})",
     .rounds = 20,
     .same_as = R"({"name": "B", "type": "test.add"})"},
    {.name = "ReplicasBehindShortLinks",
     .stages =
         R"({"name": "A", "type": "test.repeat", "params": {"n": 3}, "replicas": 3}, {"name": "B", "type": "test.filter", "params": {"n": 2}})",
     .links = R"("links": {"capacity": {"items": 1}}, )",
     .rounds = 30,
     .same_as =
         R"({"name": "A", "type": "test.repeat", "params": {"n": 3}}, {"name": "B", "type": "test.filter", "params": {"n": 2}})"},
    {.name = "ReplicasOfRuns",
     .stages =
         R"({"name": "A", "type": "test.times", "replicas": 2}, {"name": "B", "type": "test.times", "params": {"n": 5}, "replicas": 3, "share": "least_loaded"})",
     .source = R"({"type": "test.numbers", "params": {"count": 3000000}})",
     .rounds = 40,
     .same_as = R"({"name": "A", "type": "test.times"}, {"name": "B", "type": "test.times", "params": {"n": 5}})"},
    {.name = "ReplicasByKey",
     .stages =
         R"({"name": "A", "type": "test.repeat", "params": {"n": 3}, "replicas": 3, "share": {"key": {"bytes": 1}}}, {"name": "B", "type": "test.filter", "params": {"n": 2}, "replicas": 2, "share": {"key": {}}}, {"name": "C", "type": "test.count"})",
     .rounds = 40,
     .same_as =
         R"({"name": "A", "type": "test.repeat", "params": {"n": 3}}, {"name": "B", "type": "test.filter", "params": {"n": 2}}, {"name": "C", "type": "test.count"})"},
    {.name = "ReplicasByLoad", .stages = R"({"name": "P", "mode": "parallel", "replicas": 2, "share": "least_loaded", "stages": [{"name": "A", "type": "test.filter", "params": {"n": 5}}, {"name": "S", "mode": "serial", "replicas": 2, "share": {"key": {"bytes": 2}}, "stages": [{"name": "B", "type": "test.add"}, {"name": "C", "type": "test.repeat", "params": {"n": 2}}]}]}, {"name": "D", "type": "test.count"})", .rounds = 40, .same_as = R"({"name": "A", "type": "test.filter", "params": {"n": 5}}, {"name": "B", "type": "test.add"}, {"name": "C", "type": "test.repeat", "params": {"n": 2}}, {"name": "D", "type": "test.count"})"},
    {.name = "ReplicasByKeyBehindShortLinks",
     .stages =
         R"({"name": "A", "type": "test.repeat", "params": {"n": 3}, "replicas": 3, "share": {"key": {}}}, {"name": "B", "type": "test.filter", "params": {"n": 2}})",
     .links = R"("links": {"capacity": {"items": 1}}, )",
     .rounds = 30,
     .same_as =
         R"({"name": "A", "type": "test.repeat", "params": {"n": 3}}, {"name": "B", "type": "test.filter", "params": {"n": 2}})"},
    {.name = "LargeReplicasByLoadInABranch",
     .stages =
         R"({"name": "V", "mode": "branch", "join": "merge", "stages": [{"name": "A", "type": "test.add", "replicas": 3, "share": "least_loaded"}, {"name": "B", "type": "test.count"}]}, {"name": "C", "type": "test.count"})",
     .source = R"({"type": "generate", "params": {"count": 300, "size": 0, "max_size": "1MiB"}})",
     .rounds = 30,
     .same_as =
         R"({"name": "V", "mode": "branch", "join": "merge", "stages": [{"name": "A", "type": "test.add"}, {"name": "B", "type": "test.count"}]}, {"name": "C", "type": "test.count"})"},
    {.name = "BranchesZipped",
     .stages =
         R"({"name": "V", "mode": "branch", "stages": [{"name": "A", "type": "test.add"}, {"name": "P", "mode": "parallel", "stages": [{"name": "B", "type": "test.filter", "params": {"n": 3}}, {"name": "C", "type": "test.mix"}]}]}, {"name": "D", "type": "test.count"})",
     .rounds = 30},
    {.name = "BranchesMergedInReplicasInABranchInReplicas",
     .stages =
         R"({"name": "R", "mode": "parallel", "replicas": 2, "stages": [{"name": "V", "mode": "branch", "join": "merge", "stages": [{"name": "A", "type": "test.repeat", "params": {"n": 2}, "replicas": 2}, {"name": "W", "mode": "branch", "join": "merge", "stages": [{"name": "B", "type": "test.filter", "params": {"n": 3}}, {"name": "C", "type": "test.add"}]}]}]}, {"name": "D", "type": "test.mix"})",
     .rounds = 30,
     .same_as =
         R"({"name": "V", "mode": "branch", "join": "merge", "stages": [{"name": "A", "type": "test.repeat", "params": {"n": 2}}, {"name": "B", "type": "test.filter", "params": {"n": 3}}, {"name": "C", "type": "test.add"}]}, {"name": "D", "type": "test.mix"})"},
    {.name = "BranchesOfWhichTheFirstCounts",
     .stages =
         R"({"name": "V", "mode": "branch", "join": "first", "stages": [{"name": "A", "type": "test.repeat", "params": {"n": 3}}, {"name": "B", "type": "test.repeat", "params": {"n": 3}}]}, {"name": "C", "type": "test.count"})",
     .rounds = 30,
     .same_as = R"({"name": "A", "type": "test.repeat", "params": {"n": 3}}, {"name": "C", "type": "test.count"})"},
    {.name = "BranchesInARow",
     .stages =
         R"({"name": "G", "mode": "serial", "stages": [{"name": "A", "type": "test.repeat", "params": {"n": 2}}, {"name": "V", "mode": "branch", "join": "merge", "stages": [{"name": "B", "type": "test.filter", "params": {"n": 2}}, {"name": "C", "type": "test.add"}]}, {"name": "D", "type": "test.count"}]})",
     .source = R"({"type": "generate", "params": {"count": 3000, "size": 0, "max_size": 300}})",
     .rounds = 20},
    {.name = "BranchesBehindShortLinks",
     .stages =
         R"({"name": "V", "mode": "branch", "stages": [{"name": "A", "type": "test.add"}, {"name": "W", "mode": "branch", "join": "first", "stages": [{"name": "B", "type": "test.mix"}, {"name": "C", "type": "test.mix"}]}]}, {"name": "D", "type": "test.count"})",
     .links = R"("links": {"capacity": {"items": 1}}, )",
     .rounds = 30,
     .same_as =
         R"({"name": "V", "mode": "branch", "stages": [{"name": "A", "type": "test.add"}, {"name": "B", "type": "test.mix"}]}, {"name": "D", "type": "test.count"})"},
    {.name = "BranchesOfLargeItems",
     .stages =
         R"({"name": "V", "mode": "branch", "stages": [{"name": "A", "type": "test.add"}, {"name": "B", "type": "wait", "params": {"time": "0s"}}]}, {"name": "D", "type": "test.count"})",
     .source = R"({"type": "generate", "params": {"count": 300, "size": 0, "max_size": "1MiB"}})",
     .rounds = 20},
    {.name = "BranchesWithSinks",
     .stages =
         R"({"name": "T", "mode": "branch", "join": "none", "stages": [{"name": "P", "mode": "parallel", "stages": [{"name": "A", "type": "test.filter", "params": {"n": 3}}, {"name": "Store", "type": "file_writer", "params": {"newline": "never", "path": "@OUTPUT@.tap"}}]}, {"name": "Drop", "type": "discard"}]}, {"name": "D", "type": "test.mix", "replicas": 2})",
     .rounds = 30,
     .same_as = R"({"name": "D", "type": "test.mix"})",
     .aside = R"({"name": "A", "type": "test.filter", "params": {"n": 3}})"},
};

INSTANTIATE_TEST_SUITE_P(Plans, StormTest, ::testing::ValuesIn(kStorms),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace pystream
