#include <unistd.h>

#include <random>
#include <set>

#include "api/api_support.hpp"
#include "support/temp_folder.hpp"

/// Pipelines in pipelines, every mixture: the results, who runs what, and the profile keys of every level.
namespace pystream::test {
namespace {

enum class Mode { serial, parallel };

void start(Pipeline& pipeline, Mode mode) {
  if (mode == Mode::serial) {
    pipeline.serialize({.results = Results::all, .block_output = true, .output_timeout = kDeadline});
  } else {
    pipeline.parallelize(kAllResults);
  }
}

int add_one(int x) {
  return x + 1;
}
int twice(int x) {
  return 2 * x;
}

class MixtureTest : public ::testing::TestWithParam<std::tuple<Mode, Mode, Mode>> {};

TEST_P(MixtureTest, GivesTheSameResultsAndKeys) {
  const auto [outer, middle, inner] = GetParam();
  Pipeline innermost({.use_profiler = true});  // counts only where it is the main pipeline
  innermost.add(add_one, "X")
      .add([](int x) -> std::optional<int> { return x % 5 == 0 ? std::nullopt : std::optional(x); }, "Y");
  start(innermost, inner);
  Pipeline between;
  between.add(twice, "S")
      .add(innermost.as_stage(), "Inner")
      .add(
          [](int x, Emitter<int>& out) {
            out(x);
            out(-x);
          },
          "T");
  start(between, middle);
  Pipeline sut({.use_profiler = true});
  sut.add(add_one, "A").add(between.as_stage(), "Middle").add(add_one, "B");
  start(sut, outer);

  std::vector<int> expected;
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(sut.forward(i));
    const int x = 2 * (i + 1) + 1;
    if (x % 5 != 0) {
      expected.push_back(x + 1);
      expected.push_back(-x + 1);
    }
  }
  EXPECT_EQ(read_all<int>(sut, expected.size()), expected);
  ASSERT_TRUE(sut.drain(kDeadline));
  const Profiles profiles = sut.get_profiles();
  std::set<std::string> keys;
  for (const auto& [key, latency] : profiles.latency) {
    keys.insert(key);
    EXPECT_GE(latency, 0) << key;
    EXPECT_TRUE(profiles.throughput.contains(key));
  }
  EXPECT_EQ(keys,
            (std::set<std::string>{"MainPipeline", "MainPipeline__A", "MainPipeline__Middle", "MainPipeline__Middle__S",
                                   "MainPipeline__Middle__Inner", "MainPipeline__Middle__Inner__X",
                                   "MainPipeline__Middle__Inner__Y", "MainPipeline__Middle__T", "MainPipeline__B"}));
}

INSTANTIATE_TEST_SUITE_P(EveryMixture, MixtureTest,
                         ::testing::Combine(::testing::Values(Mode::serial, Mode::parallel),
                                            ::testing::Values(Mode::serial, Mode::parallel),
                                            ::testing::Values(Mode::serial, Mode::parallel)));

TEST(NestingTest, OnlyTheMainPipelinesProfilerCounts) {
  for (const Mode outer : {Mode::serial, Mode::parallel}) {
    for (const Mode inner : {Mode::serial, Mode::parallel}) {
      for (const bool profiled : {true, false}) {
        const test::TempFolder folder;
        const std::filesystem::path of_child = folder.path() / "child";
        Pipeline child({.use_profiler = true, .profiler_db_folder = of_child});
        child.add(add_one, "X");
        start(child, inner);
        Pipeline sut({.use_profiler = profiled, .profiler_db_folder = folder.path() / "main"});
        sut.add(child.as_stage(), "Child");
        std::filesystem::remove_all(of_child);  // what it wrote as a pipeline of its own
        start(sut, outer);
        EXPECT_EQ(sut.forward_all({1, 2, 3}), 3U);
        EXPECT_EQ(read_all<int>(sut, 3), (std::vector<int>{2, 3, 4}));
        if (profiled) {
          const Profiles profiles = sut.get_profiles();
          EXPECT_EQ(profiles.latency.size(), 3U);
          EXPECT_TRUE(profiles.latency.contains("MainPipeline__Child__X"));
        } else {
          EXPECT_THROW(sut.get_profiles(), ProfilingError);
        }
        sut.cleanup();
        EXPECT_FALSE(std::filesystem::exists(of_child));
      }
    }
  }
}

TEST(NestingTest, ASerialChildOfAParallelPipelineIsOneProcess) {
  const Shared<std::array<std::atomic<int>, 2>> pids;
  Pipeline child;
  child.add([pids](int x) {
    (*pids)[0] = ::getpid();
    return x;
  });
  child.add([pids](int x) {
    (*pids)[1] = ::getpid();
    return x;
  });
  child.serialize();
  Pipeline sut;
  sut.add(child.as_stage(), "Child").parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(1));
  EXPECT_TRUE(sut.get_results<int>());
  EXPECT_EQ((*pids)[0], (*pids)[1]);
  EXPECT_NE((*pids)[0], ::getpid());
}

TEST(NestingTest, ASerialPipelineHandsOneItemAtATimeToItsParallelChild) {
  const SharedCount inside;
  const SharedCount most;
  const auto stage = [inside, most](int x) {
    *most = std::max(most->load(), ++*inside);
    std::this_thread::sleep_for(1ms);
    --*inside;
    return x;
  };
  Pipeline child;
  child.add(stage).add(stage).parallelize();
  Pipeline sut;
  int here = 0;
  sut.add([&](int x) {
       here = ::getpid();
       return x;
     })
      .add(child.as_stage(), "Child");
  sut.serialize({.results = Results::all});
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(sut.forward(i));
    EXPECT_EQ(sut.get_results<int>(), i);  // forward() has waited for it
  }
  EXPECT_EQ(here, ::getpid());
  EXPECT_EQ(*most, 1);
}

TEST(NestingTest, AParallelChildMayPassLargeItemsOn) {
  Pipeline child;
  const auto pass_on = [](const Item& in, Output& out) { out.forward(in); };
  child.add(pass_on).add(pass_on).parallelize();
  Pipeline sut;
  sut.add([](std::string text) { return text + "!"; }).add(child.as_stage(), "Child");
  sut.serialize({.results = Results::all});
  for (const std::size_t size : {100U, 2U << 20}) {
    const std::string text(size, 'x');
    EXPECT_TRUE(sut.forward(text));
    EXPECT_EQ(sut.get_results<std::string>(), text + "!");
  }
}

TEST(NestingTest, AnExceptionBehindAChildLosesOnlyItsOwnItem) {
  Pipeline child;
  child
      .add([](int x, Emitter<int>& out) {
        for (int i = 0; i < 3; ++i) out(x * 10 + i);
      })
      .parallelize();
  Pipeline sut;
  sut.add(child.as_stage(), "Child").add([](int x) { return x == 10 ? throw std::runtime_error("ten") : x; });
  sut.serialize({.results = Results::all});
  EXPECT_THROW(std::ignore = sut.forward(1), std::runtime_error);
  EXPECT_TRUE(sut.forward(2));
  EXPECT_EQ(sut.get_results<int>(), 20);
  EXPECT_EQ(sut.get_results<int>(), 21);
  EXPECT_EQ(sut.get_results<int>(), 22);
}

/// A random tree of pipelines of stages `x * 3 + k`, and what it computes.
class RandomTree {
 public:
  explicit RandomTree(unsigned seed) : random_(seed) {}

  void fill(Pipeline& pipeline, int depth) {
    const int members = pick(1, 3);
    for (int i = 0; i < members; ++i) {
      if (depth > 0 && pick(0, 1) == 1) {
        Pipeline child;
        fill(child, depth - 1);
        if (pick(0, 1) == 1) {
          child.serialize();
        } else {
          child.parallelize();
        }
        pipeline.add(child.as_stage());
      } else {
        const auto k = static_cast<unsigned>(pick(0, 100));
        added_.push_back(k);
        pipeline.add([k](unsigned x) { return x * 3 + k; });
      }
    }
  }
  unsigned compute(unsigned x) const {
    for (const unsigned k : added_) {
      x = x * 3 + k;
    }
    return x;
  }

 private:
  int pick(int low, int high) { return std::uniform_int_distribution<>(low, high)(random_); }
  std::mt19937 random_;
  std::vector<unsigned> added_;
};

TEST(NestingTest, RandomTreesComputeWhatTheirStagesDo) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    for (const Mode mode : {Mode::serial, Mode::parallel}) {
      RandomTree tree(seed);
      Pipeline sut;
      tree.fill(sut, 3);
      start(sut, mode);
      for (unsigned i = 0; i < 20; ++i) {
        ASSERT_TRUE(sut.forward(i));
      }
      for (unsigned i = 0; i < 20; ++i) {
        ASSERT_EQ(sut.get_results<unsigned>(), tree.compute(i)) << "seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace pystream::test
