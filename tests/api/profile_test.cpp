#include <sys/wait.h>
#include <unistd.h>

#include "api/api_support.hpp"
#include "store/stored_summary.hpp"
#include "support/temp_folder.hpp"

/// What pipelines of this process leave in the profile database, also serial ones.
namespace pystream::test {
namespace {

class ApiProfileTest : public ::testing::Test {
 protected:
  PipelineOptions options() const { return {.use_profiler = true, .profiler_db_folder = folder_.path()}; }
  /// In a process of its own: one that forks workers never opens a database. -1: no answer.
  long ask(const std::string& sql) const {
    const Shared<std::atomic<long>> answer;
    *answer = -1;
    const pid_t pid = ::fork();
    if (pid == 0) {
      try {
        *answer = static_cast<long>(store::open_for_reading(folder_.path()).query_integer(sql).value_or(-1));
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
      ::_exit(0);
    }
    ::waitpid(pid, nullptr, 0);
    return *answer;
  }
  long items_of(const std::string& key) const { return ask("SELECT items FROM stages WHERE key = '" + key + "'"); }

  test::TempFolder folder_;
};

TEST_F(ApiProfileTest, ASerialPipelineInThisProcessHasARunOfItsOwn) {
  Pipeline sut(options());
  sut.add([](int x) { return x + 1; }, "Fast");
  sut.add(
      [](int x) {
        std::this_thread::sleep_for(1ms);
        return x;
      },
      "Slow");
  sut.serialize();
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(sut.forward(i));
  }
  const Profiles profiles = sut.get_profiles();
  sut.cleanup();
  EXPECT_EQ(ask("SELECT count(*) FROM runs WHERE outcome = 'done'"), 1);
  for (const char* key : {"MainPipeline", "MainPipeline__Fast", "MainPipeline__Slow"}) {
    EXPECT_EQ(items_of(key), 100) << key;
    const double mean_s =
        static_cast<double>(ask("SELECT mean_s * 1e9 FROM StageSummary WHERE key = '" + std::string(key) + "'")) * 1e-9;
    EXPECT_NEAR(mean_s, profiles.latency.at(key), 0.02 * mean_s + 1e-7) << key;
  }
  EXPECT_EQ(ask("SELECT count(*) FROM Latency"), 100);
}

TEST_F(ApiProfileTest, ASerialRowStandsBesideTheWorkersOfItsChildren) {
  Pipeline child;
  child.add([](int x) { return x * 2; }, "Inner");
  child.parallelize();
  Pipeline sut(options());
  sut.add([](int x) { return x + 1; }, "Before");
  sut.add(child.as_stage(), "Child");
  sut.add([](int x) { return x + 1; }, "After");
  sut.serialize({.block_output = true, .output_timeout = kDeadline});
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(sut.forward(i));
    EXPECT_EQ(sut.get_results<int>(), 2 * (i + 1) + 1);
  }
  sut.cleanup();
  for (const char* key : {"MainPipeline", "MainPipeline__Before", "MainPipeline__Child", "MainPipeline__Child__Inner",
                          "MainPipeline__After"}) {
    EXPECT_EQ(items_of(key), 50) << key;
  }
  EXPECT_EQ(ask("SELECT count(*) FROM StageSummary WHERE mean_s > 0"), 5);
  EXPECT_EQ(ask("SELECT count(*) FROM runs"), 1);
}

/// A pipeline written as text: S is a stage, s(...) a serial pipeline, p(...) a parallel one.
class Shape {
 public:
  explicit Shape(const std::string& text) : text_(text) {}

  /// Gives the keys of what it adds.
  std::vector<std::string> fill(Pipeline& pipeline, const std::string& key) {
    std::vector<std::string> keys{key};
    for (int number = 1; at_ < text_.size() && text_[at_] != ')'; ++number) {
      const std::string name = "N" + std::to_string(number);
      const char kind = text_[at_++];
      if (kind == 'S') {
        pipeline.add([](int x) { return x + 1; }, name);
        keys.push_back(key + "__" + name);
        ++stages_;
        continue;
      }
      ++at_;
      Pipeline child;
      const auto inside = fill(child, key + "__" + name);
      keys.insert(keys.end(), inside.begin(), inside.end());
      ++at_;
      kind == 's' ? child.serialize() : child.parallelize();
      pipeline.add(child.as_stage(), name);
    }
    return keys;
  }
  int stages() const { return stages_; }

 private:
  std::string text_;
  std::size_t at_ = 0;
  int stages_ = 0;
};

class ApiProfileOfMixtures : public ApiProfileTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(ApiProfileOfMixtures, HoldEveryKeyOfEveryLevel) {
  constexpr int kItems = 12;
  for (const bool serial : {true, false}) {
    SCOPED_TRACE(std::string(serial ? "serial " : "parallel ") + GetParam());
    Shape shape(GetParam());
    Pipeline sut(options());
    const std::vector<std::string> keys = shape.fill(sut, "MainPipeline");
    if (serial) {
      sut.serialize({.results = Results::all, .block_output = true, .output_timeout = kDeadline});
    } else {
      sut.parallelize(kAllResults);
    }
    for (int i = 0; i < kItems; ++i) {
      ASSERT_TRUE(sut.forward(i));
      EXPECT_EQ(sut.get_results<int>(), i + shape.stages());
    }
    const Profiles profiles = sut.get_profiles();
    sut.cleanup();
    const std::string of_run = " WHERE run = (SELECT max(id) FROM runs)";
    EXPECT_EQ(ask("SELECT count(*) FROM stages" + of_run), static_cast<long>(keys.size()));
    for (const std::string& key : keys) {
      const std::string of_key = of_run + " AND key = '" + key + "'";
      EXPECT_EQ(ask("SELECT items FROM stages" + of_key), kItems) << key;
      EXPECT_GE(ask("SELECT mean_s * 1e9 FROM StageSummary" + of_key), 0) << key;
      EXPECT_TRUE(profiles.latency.contains(key)) << key;
      EXPECT_TRUE(profiles.throughput.contains(key)) << key;
    }
    EXPECT_EQ(ask("SELECT count(*) FROM pragma_table_info('Latency')"), static_cast<long>(keys.size()) + 1);
    EXPECT_EQ(ask("SELECT count(*) FROM Latency WHERE MainPipeline > 0"), kItems);
    EXPECT_EQ(profiles.latency.size(), keys.size());
  }
}

INSTANTIATE_TEST_SUITE_P(EveryNesting, ApiProfileOfMixtures,
                         ::testing::Values("S", "p(S)", "s(S)", "p(S)p(S)", "s(p(S))", "p(s(S))", "s(p(S)p(SS))",
                                           "Ss(p(S)p(S))S", "p(s(p(S)p(S)))", "s(s(p(S)))", "p(Ss(p(S)))p(S)",
                                           "s(p(s(p(S))))", "p(S)s(Sp(S))", "SS"),
                         [](const auto& info) { return "Mixture" + std::to_string(info.index); });

TEST_F(ApiProfileTest, AskingForFiguresDoesNotCountItemsTwice) {
  Pipeline sut(options());
  sut.add([](int x) { return x + 1; }, "A");
  sut.parallelize(kAllResults);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(sut.forward_all(std::vector<int>(10, i)), 10U);
    read_all<int>(sut, 10);
    EXPECT_GT(sut.get_profiles().latency.at("MainPipeline__A"), 0);
  }
  sut.cleanup();
  EXPECT_EQ(items_of("MainPipeline__A"), 200);
  EXPECT_EQ(
      ask("SELECT sum(windows.items) FROM windows JOIN stages ON stages.id = stage WHERE key = 'MainPipeline__A'"), 200)
      << "in windows";
}

TEST_F(ApiProfileTest, DeadLettersAreKeptWithoutAProfiler) {
  Pipeline sut({.profiler_db_folder = folder_.path()});
  sut.add(
      [](int x) {
        if (x == 3) {
          throw std::runtime_error("no threes");
        }
        return x;
      },
      "Choosy");
  sut.parallelize(kAllResults);
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(sut.forward(i));
  }
  EXPECT_EQ(read_all<int>(sut, 5), (std::vector<int>{0, 1, 2, 4, 5}));
  sut.cleanup();
  EXPECT_EQ(ask("SELECT count(*) FROM dead_letters WHERE sequence = 3 AND reason LIKE '%no threes%'"), 1);
  EXPECT_EQ(ask("SELECT count(*) FROM stages"), 0);
}

}  // namespace
}  // namespace pystream::test
