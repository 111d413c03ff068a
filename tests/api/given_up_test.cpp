#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "api/api_support.hpp"
#include "api/given_up_watch.hpp"
#include "support/sanitized.hpp"
#include "support/temp_folder.hpp"

/// What the user's program hears of items that were given up, and of workers that died.
namespace pystream::test {
namespace {

using api::GivenUpItems;
using api::GivenUpWatch;

std::vector<GivenUpItems> one_stage(std::uint64_t count, std::uint64_t item, const std::string& reason) {
  return {{.key = "MainPipeline__A", .count = count, .last_item = item, .last_reason = reason}};
}

TEST(GivenUpWatchTest, TellsOfTheFirstItemAtOnceAndOfOthersTogether) {
  GivenUpWatch sut;
  EXPECT_TRUE(sut.look(one_stage(0, 0, ""), 1h).empty());
  const auto first = sut.look(one_stage(1, 3, "no threes"), 1h);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_TRUE(contains(first[0], "stage MainPipeline__A gave up item 3: no threes"));
  EXPECT_TRUE(sut.look(one_stage(50, 53, "no threes"), 1h + 500ms).empty());
  const auto later = sut.look(one_stage(60, 63, "no threes"), 1h + 1s);
  ASSERT_EQ(later.size(), 1U);
  EXPECT_TRUE(contains(later[0], "has given up 60 items, the last was item 63"));
  EXPECT_TRUE(sut.look(one_stage(60, 63, "no threes"), 2h).empty()) << "nothing is new";
}

TEST(GivenUpWatchTest, TellsMoreAndMoreSeldomAndOfTheRestAtTheEnd) {
  GivenUpWatch sut;
  std::size_t told = 0;
  std::uint64_t count = 0;
  for (auto now = 1h + 0ms; now < 1h + 600s; now += 20ms) {
    told += sut.look(one_stage(++count, 7, "always"), now).size();
  }
  EXPECT_LE(told, 20U) << "of " << count << " items in ten minutes";
  EXPECT_EQ(sut.look(one_stage(++count, 7, "always"), 1h + 600s, true).size(), 1U);
}

TEST(GivenUpWatchTest, StagesAreToldApart) {
  GivenUpWatch sut;
  std::vector<GivenUpItems> both{{.key = "A", .count = 1}, {.key = "B", .count = 0}};
  EXPECT_EQ(sut.look(both, 1h).size(), 1U);
  both[1].count = 2;
  const auto texts = sut.look(both, 1h + 1ms);
  ASSERT_EQ(texts.size(), 1U);
  EXPECT_TRUE(contains(texts[0], "stage B has given up 2 items"));
}

class GivenUpTest : public ::testing::Test {
 protected:
  GivenUpTest() {
    set_logger([this](LogLevel level, std::string_view text) {
      const std::lock_guard lock(mutex_);
      said_ += level == LogLevel::warning ? std::string(text) + "\n" : "";
    });
  }
  ~GivenUpTest() override { set_logger({}); }
  std::string said() {
    const std::lock_guard lock(mutex_);
    return said_;
  }
  PipelineOptions options(bool profiler = false) const {
    return {.use_profiler = profiler, .profiler_db_folder = folder_.path()};
  }

  test::TempFolder folder_;

 private:
  std::mutex mutex_;
  std::string said_;
};

int refuse_threes(int x) {
  if (x % 10 == 3) {
    throw std::runtime_error("no threes: " + std::to_string(x));
  }
  return x;
}

TEST_F(GivenUpTest, ByAnExceptionIsLoggedCountedAndKept) {
  for (const bool profiler : {false, true}) {
    Pipeline sut(options(profiler));
    sut.add([](int x) { return x; }, "First").add(refuse_threes, "Choosy").parallelize(kAllResults);
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(sut.forward(i));
    }
    EXPECT_EQ(read_all<int>(sut, 18).size(), 18U);
    ASSERT_TRUE(sut.drain(kDeadline));
    const PipelineStatus status = sut.status();
    EXPECT_EQ(status.given_up, 2U);
    EXPECT_EQ(status.stages.at(0).errors, 0U);
    EXPECT_EQ(status.stages.at(0).last_error, "");
    EXPECT_EQ(status.stages.at(1).errors, 2U);
    EXPECT_EQ(status.stages.at(1).last_error, "no threes: 13");
    const auto check = [&] {
      const std::vector<DeadLetter> letters = sut.dead_letters();
      ASSERT_EQ(letters.size(), 2U);
      EXPECT_EQ(letters[0].stage, "MainPipeline__Choosy");
      EXPECT_EQ(letters[0].sequence, 3U);
      EXPECT_EQ(letters[0].attempts, 1U);
      EXPECT_EQ(letters[0].reason, "no threes: 3");
      EXPECT_EQ(letters[0].signal, 0);
      EXPECT_EQ(letters[0].item<int>(), 3);
      EXPECT_EQ(letters[1].item<int>(), 13);
      EXPECT_THROW(letters[1].item<double>(), PayloadError);
      EXPECT_EQ(sut.dead_letters(1).size(), 1U);
    };
    check();
    sut.cleanup();
    check();  // those of the last run
    EXPECT_TRUE(contains(said(), "stage MainPipeline__Choosy "));
    EXPECT_TRUE(contains(said(), ": no threes: "));
    EXPECT_TRUE(contains(said(), "dead_letters()"));
  }
}

TEST_F(GivenUpTest, ItIsToldWithCleanupAtTheLatest) {
  Pipeline sut(options());
  sut.add(refuse_threes, "Choosy").parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({3, 13, 23}), 3U);
  const auto& stats = [&] { return sut.status().given_up; };
  EXPECT_TRUE(wait_until([&] { return stats() == 3; }));
  sut.cleanup();
  EXPECT_TRUE(contains(said(), "stage MainPipeline__Choosy"));
  EXPECT_TRUE(contains(said(), "no threes: 23"));
}

TEST_F(GivenUpTest, ByTheDeathsOfItsWorkerIsLoggedCountedAndKept) {
  Pipeline sut(options());
  sut.add([](const std::string& text) { return text == "bad" ? (std::abort(), text) : text; }, "Dies",
          {.max_attempts = 2});
  sut.parallelize(kAllResults);
  for (const char* text : {"good", "bad", "better"}) {
    EXPECT_TRUE(sut.forward(text));
  }
  EXPECT_EQ(read_all<std::string>(sut, 2), (std::vector<std::string>{"good", "better"}));
  EXPECT_EQ(sut.status().given_up, 1U);
  EXPECT_EQ(sut.status().stages.at(0).restarts, 2U);
  const std::vector<DeadLetter> letters = sut.dead_letters();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].sequence, 1U);
  EXPECT_EQ(letters[0].signal, SIGABRT);
  EXPECT_EQ(letters[0].attempts, 2U);
  EXPECT_TRUE(contains(letters[0].reason, "was killed by SIGABRT"));
  EXPECT_EQ(letters[0].item<std::string>(), "bad");
  sut.cleanup();
  EXPECT_TRUE(contains(said(), "stage MainPipeline__Dies was killed by SIGABRT (Aborted) on item 1; it is restarted"));
  EXPECT_TRUE(contains(said(), "stage MainPipeline__Dies gave up item 1: the stage was killed by SIGABRT"));
}

/// The program ignores SIGCHLD, so nobody sees how the process that reads the letters has ended.
TEST_F(GivenUpTest, LettersThatCannotBeReadAreNoEmptyList) {
  Pipeline sut(options());
  sut.add(refuse_threes, "Choosy").parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({3, 4}), 2U);
  EXPECT_EQ(sut.get_results<int>(), 4);
  const auto before = std::signal(SIGCHLD, SIG_IGN);
  EXPECT_EQ(sut.dead_letters().size(), 1U);
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    if (entry.is_regular_file()) {  // the database, and its log, which could mend it
      write_file(entry.path(), std::string(8192, '?'));
    }
  }
  EXPECT_THROW(sut.dead_letters(), ProfilingError);
  std::signal(SIGCHLD, before);
}

TEST_F(GivenUpTest, SkippedItemsAreToldAndCountedAndNotKept) {
  Pipeline sut(options());
  sut.add(refuse_threes, "Skips", {.on_error = OnError::skip}).parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({3, 4}), 2U);
  EXPECT_EQ(sut.get_results<int>(), 4);
  EXPECT_EQ(sut.status().given_up, 1U);
  EXPECT_TRUE(sut.dead_letters().empty());
  sut.cleanup();
  EXPECT_TRUE(contains(said(), "gave up item 0: no threes: 3"));
}

TEST_F(GivenUpTest, OfParallelChildrenOfASerialPipelineToo) {
  Pipeline child;
  child.add(refuse_threes, "Choosy");
  child.parallelize();
  Pipeline sut(options());
  sut.add([](int x) { return x; }, "Own").add(child.as_stage(), "Child");
  sut.serialize({.results = Results::all});
  for (const int x : {2, 3, 4}) {
    EXPECT_TRUE(sut.forward(x));
  }
  EXPECT_EQ(sut.status().given_up, 1U);
  ASSERT_EQ(sut.dead_letters().size(), 1U);
  EXPECT_EQ(sut.dead_letters()[0].stage, "MainPipeline__Child__Choosy");
  EXPECT_EQ(sut.dead_letters()[0].item<int>(), 3);
  sut.cleanup();
  EXPECT_TRUE(contains(said(), "MainPipeline__Child__Choosy gave up item 1"));
}

TEST_F(GivenUpTest, WithoutAnyThereAreNoLettersAndNoWarnings) {
  Pipeline sut(options(true));
  EXPECT_THROW(sut.dead_letters(), PipelineUndefined);
  sut.add(refuse_threes, "Choosy").parallelize(kAllResults);
  EXPECT_TRUE(sut.dead_letters().empty());
  EXPECT_TRUE(sut.forward(1));
  EXPECT_EQ(sut.get_results<int>(), 1);
  sut.cleanup();
  EXPECT_TRUE(sut.dead_letters().empty());
  sut.serialize();
  EXPECT_TRUE(sut.dead_letters().empty()) << "of the run that is on";
  EXPECT_EQ(said(), "");
}

TEST_F(GivenUpTest, LettersOfOtherRunsAndPipelinesAreNotMixedIn) {
  Pipeline other(options());
  other.add(refuse_threes, "Other").parallelize(kAllResults);
  Pipeline sut(options());
  sut.add(refuse_threes, "Choosy");
  for (int round = 0; round < 2; ++round) {
    sut.parallelize(kAllResults);
    EXPECT_TRUE(other.forward(3));
    EXPECT_TRUE(sut.forward(13 + round * 10));
    ASSERT_TRUE(sut.drain(kDeadline));
    ASSERT_TRUE(other.drain(kDeadline));
    ASSERT_EQ(sut.dead_letters().size(), 1U);
    EXPECT_EQ(sut.dead_letters()[0].item<int>(), 13 + round * 10);
  }
  EXPECT_EQ(other.dead_letters().size(), 2U);
}

TEST_F(GivenUpTest, LettersCanBeReadWhileChildrenAreReapedByTheKernel) {
  std::signal(SIGCHLD, SIG_IGN);
  Pipeline sut(options());
  sut.add(refuse_threes, "Choosy").parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(3));
  ASSERT_TRUE(sut.drain(kDeadline));
  EXPECT_EQ(sut.dead_letters().size(), 1U);
  sut.cleanup();
  std::signal(SIGCHLD, SIG_DFL);
}

/// A stage that hangs on its first try of item 0; the second, if there is one, goes well.
template <class Prepare>
auto hangs_once(SharedCount tries, Prepare prepare) {
  return [tries, prepare](int x) {
    if ((*tries)++ == 0) {
      prepare();
      std::this_thread::sleep_for(24h);
    }
    return x;
  };
}

TEST_F(GivenUpTest, AHungWorkerTellsItsStackBeforeItIsKilled) {
  if (kSanitized) {
    GTEST_SKIP() << "a worker under a sanitizer has no handler that could tell";
  }
  Pipeline sut(options());
  sut.add(hangs_once(SharedCount(), [] {}), "Hangs", {.max_attempts = 1, .timeout = 100ms}).parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(7));
  ASSERT_TRUE(sut.drain(kDeadline));
  const std::vector<DeadLetter> letters = sut.dead_letters();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_TRUE(contains(letters[0].reason, "hung and was killed by SIGKILL"));
  EXPECT_TRUE(contains(letters[0].stack, "#0 "));
  EXPECT_TRUE(contains(letters[0].stack, "api_test+0x")) << "the stage itself is on it";
  sut.cleanup();
  EXPECT_TRUE(contains(said(), "hangs"));
}

TEST_F(GivenUpTest, AHungWorkerThatTakesNoSignalsIsKilledAllTheSame) {
  Pipeline sut(options());
  const auto block_all = [] {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  };
  sut.add(hangs_once(SharedCount(), block_all), "Deaf", {.timeout = 100ms}).parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(7));
  EXPECT_EQ(sut.get_results<int>(), 7);
}

TEST_F(GivenUpTest, WorkersCarryTheNamesOfTheirStages) {
  Pipeline inner;
  inner.add(refuse_threes, "AnExtraordinarilyLongName").add(refuse_threes, "B").serialize();
  Pipeline sut;
  sut.add(refuse_threes, "Short").add(inner.as_stage(), "Inner").parallelize(kAllResults);
  std::vector<std::string> names;
  for (const StageStatus& stage : sut.status().stages) {
    std::ifstream comm("/proc/" + std::to_string(stage.pid) + "/comm");
    std::getline(comm, names.emplace_back());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"Short", "Inner", "Inner"}));
}

}  // namespace
}  // namespace pystream::test
