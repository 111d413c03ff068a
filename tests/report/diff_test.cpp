#include "report/diff.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "shm/profile_abi.hpp"

namespace pystream::report {
namespace {

/// Windows of 500 items whose times scatter around `mean_ns`, and a load that drifts from window to window.
std::vector<store::KeyWindows> made_up(double mean_ns, unsigned seed, std::size_t count = 40) {
  std::mt19937_64 random(seed);
  store::KeyWindows key{.key = "MainPipeline__Work", .role = "stage", .windows = {}};
  for (std::size_t i = 0; i < count; ++i) {
    const double load = std::lognormal_distribution<double>(0, 0.03)(random);
    std::map<std::uint32_t, std::uint32_t> histogram;
    store::WindowFigures window{.window = i, .span_s = 1, .items = 500, .samples = 500, .timed = 500};
    for (int k = 0; k < 500; ++k) {
      const double ns = mean_ns * load * std::lognormal_distribution<double>(0, 0.2)(random);
      window.total_ns += ns;
      window.max_ns = std::max(window.max_ns, ns);
      ++histogram[static_cast<std::uint32_t>(shm::bucket_of(static_cast<std::uint64_t>(ns)))];
    }
    window.timed_ns = window.total_ns;
    window.histogram.assign(histogram.begin(), histogram.end());
    key.windows.push_back(std::move(window));
  }
  return {key};
}

std::vector<std::string> gate(double before_ns, double after_ns, unsigned seed, const char* condition) {
  const FailCondition parsed = parse_fail_condition(condition);
  return failures(compare(made_up(before_ns, seed), made_up(after_ns, seed + 1000), {parsed.metric}), {parsed});
}

TEST(DiffTest, NoiseAloneDoesNotFail) {
  int failed = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    failed += gate(10'000, 10'000, seed, "p99>+0%").empty() ? 0 : 1;
  }
  EXPECT_LE(failed, 4) << "about one in twenty of equal runs may look different beyond 95 %";
  for (unsigned seed = 0; seed < 20; ++seed) {
    EXPECT_TRUE(gate(10'000, 10'000, seed, "p99>+10%").empty());
  }
}

TEST(DiffTest, ARealChangeFails) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    EXPECT_EQ(gate(10'000, 12'000, seed, "p99>+10%").size(), 1U);
    EXPECT_EQ(gate(10'000, 12'000, seed, "mean>+10%").size(), 1U);
    EXPECT_TRUE(gate(10'000, 12'000, seed, "mean>+30%").empty());
    EXPECT_EQ(gate(10'000, 8'000, seed, "p50<-10%").size(), 1U);
  }
}

TEST(DiffTest, ChangesCarryTheirInterval) {
  const Comparison sut = compare(made_up(10'000, 1), made_up(12'000, 2), {Metric::mean});
  ASSERT_EQ(sut.changes.size(), 1U);
  EXPECT_NEAR(sut.changes[0].change, 0.2, 0.05);
  EXPECT_LT(sut.changes[0].low, sut.changes[0].change);
  EXPECT_GT(sut.changes[0].high, sut.changes[0].change);
  EXPECT_TRUE(sut.changes[0].real());
  EXPECT_FALSE(sut.by_items);
}

TEST(DiffTest, ShortRunsAreComparedItemByItemAndSaySo) {
  const Comparison sut = compare(made_up(10'000, 1, 2), made_up(15'000, 2, 2), {Metric::mean, Metric::p99});
  EXPECT_TRUE(sut.by_items);
  EXPECT_TRUE(sut.changes[0].real());
  EXPECT_NE(to_table(sut).find("Run longer"), std::string::npos);
}

/// The same 500 items a window tell no more if each stands for a thousand.
TEST(DiffTest, SampledItemsOfShortRunsScatterAsMuchAsTheyAreFew) {
  const auto sampled = [](unsigned seed) {
    auto keys = made_up(10'000, seed, 2);
    for (store::WindowFigures& window : keys[0].windows) {
      window.items *= 1000;
      window.timed *= 1000;
      window.timed_ns *= 1000;
      window.total_ns *= 1000;
      for (auto& [bucket, items] : window.histogram) {
        items *= 1000;
      }
    }
    return keys;
  };
  const Change all = compare(made_up(10'000, 1, 2), made_up(10'000, 2, 2), {Metric::p99}).changes.at(0);
  const Change some = compare(sampled(1), sampled(2), {Metric::p99}).changes.at(0);
  EXPECT_NEAR(some.high - some.low, all.high - all.low, 0.2 * (all.high - all.low));
}

/// A load that comes and goes over some seconds makes neighbouring windows alike: they are no witnesses of their own.
TEST(DiffTest, ASlowlyChangingLoadDoesNotFailEither) {
  const auto drifting = [](unsigned seed) {
    std::mt19937_64 random(seed);
    auto keys = made_up(10'000, seed, 600);
    double load = 1;
    for (store::WindowFigures& window : keys[0].windows) {
      load = 1 + 0.8 * (load - 1) + std::normal_distribution<double>(0, 0.03)(random);
      window.total_ns *= load;
    }
    return keys;
  };
  int failed = 0;
  for (unsigned seed = 0; seed < 20; ++seed) {
    failed += compare(drifting(seed), drifting(seed + 1000), {Metric::mean}).changes.at(0).real() ? 1 : 0;
  }
  EXPECT_LE(failed, 6);
}

TEST(DiffTest, KeysOfOneRunOnlyAreNamed) {
  auto other = made_up(10'000, 2);
  other[0].key = "MainPipeline__New";
  const Comparison sut = compare(made_up(10'000, 1), other, {Metric::mean});
  EXPECT_TRUE(sut.changes.empty());
  EXPECT_EQ(sut.only_before.at(0), "MainPipeline__Work");
  EXPECT_EQ(sut.only_after.at(0), "MainPipeline__New");
}

TEST(DiffTest, ConditionsNameStagesByTheirLastPart) {
  const auto named = [](const std::vector<std::string>& names, unsigned seed) {
    std::vector<store::KeyWindows> keys;
    for (const std::string& name : names) {
      keys.push_back(made_up(10'000, seed).front());
      keys.back().key = name;
    }
    return keys;
  };
  const std::vector<std::string> names{"MainPipeline__A__Work", "MainPipeline__B__Rest", "MainPipeline__C__Rest"};
  const Comparison sut = compare(named(names, 1), named(names, 2), {Metric::mean, Metric::p50, Metric::p99});
  for (const char* right :
       {"Work:mean>+50%", "A.Work:mean>+50%", "B/Rest:mean>+50%", "MainPipeline__C__Rest:mean>+50%"}) {
    EXPECT_TRUE(failures(sut, {parse_fail_condition(right)}).empty()) << right;
  }
  for (const char* wrong : {"Rest:mean>+50%", "Wrok:mean>+50%", "A:mean>+50%"}) {
    EXPECT_THROW(failures(sut, {parse_fail_condition(wrong)}), Error) << wrong;
  }
}

TEST(DiffTest, Conditions) {
  const FailCondition sut = parse_fail_condition("Child__Work:p99.9>+12.5%");
  EXPECT_EQ(sut.key, "Child__Work");
  EXPECT_EQ(sut.metric, Metric::p999);
  EXPECT_TRUE(sut.greater);
  EXPECT_DOUBLE_EQ(sut.change, 0.125);
  EXPECT_DOUBLE_EQ(parse_fail_condition("throughput<-5%").change, -0.05);
  for (const char* wrong : {"", "p99", "p98>+1%", "p99>10", "p99>%", "p99>+1x%", ">+10%", "p99>nan%"}) {
    EXPECT_THROW(parse_fail_condition(wrong), Error) << wrong;
  }
}

}  // namespace
}  // namespace pystream::report
