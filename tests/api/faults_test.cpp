#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "api/api_support.hpp"
#include "support/segment_of.hpp"

namespace pystream::test {
namespace {

int same(int x) {
  return x;
}

bool alive(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  const std::size_t at = text.rfind(')');
  return at != std::string::npos && text[at + 2] != 'Z' && text[at + 2] != 'X';
}

std::vector<pid_t> workers_of(const Pipeline& pipeline) {
  std::vector<pid_t> pids;
  for (const StageStatus& stage : pipeline.status().stages) {
    pids.push_back(stage.pid);
  }
  return pids;
}

/// What a stage does in its cleanup().
class AtTheEnd : public Stage<int, int> {
 public:
  explicit AtTheEnd(std::function<void()> act) : act_(std::move(act)) {}
  int operator()(int x) override { return x; }
  void cleanup() override { act_(); }

 private:
  std::function<void()> act_;
};

TEST(FaultsTest, ACleanupThatGoesWrongIsTold) {
  struct Case {
    std::function<void()> act;
    std::string told;
  };
  const std::vector<Case> cases{
      {[] { throw std::runtime_error("the results cannot be written"); }, "the results cannot be written"},
      {[] { ::_exit(5); }, "exit code 5"},
      {[] { ::raise(SIGSEGV); }, "SIGSEGV"},
      {[] { ::pause(); }, "killed in its cleanup()"},
      {[] {}, ""}};
  for (const Case& each : cases) {
    std::string told;
    set_logger([&](LogLevel level, std::string_view text) {
      told += level != LogLevel::info ? std::string(text) + "\n" : "";
    });
    {
      Pipeline sut;
      sut.add(AtTheEnd(each.act), "Writer").parallelize(kAllResults);
      EXPECT_TRUE(sut.forward(1));
      EXPECT_EQ(sut.get_results<int>(), 1);
    }
    set_logger({});
    EXPECT_TRUE(each.told.empty() ? told.empty() : contains(told, each.told) && contains(told, "Writer")) << told;
  }
}

TEST(FaultsTest, AKilledWorkerLosesAndDoublesNothing) {
  constexpr int kRounds = 50;
  Pipeline sut;
  sut.add(same, "A").add(same, "B").parallelize(kAllResults);
  std::atomic<int> round{0};
  std::jthread killer([&] {
    for (; round < kRounds; ++round) {
      for (const pid_t pid : workers_of(sut)) {
        if (pid > 0) {
          ::kill(pid, SIGKILL);
        }
      }
      std::this_thread::sleep_for(5ms);
    }
  });
  constexpr int kLast = -1;
  std::jthread feeder([&] {
    for (int i = 0; round < kRounds; ++i) {
      ASSERT_TRUE(sut.forward(i));
    }
    ASSERT_TRUE(sut.forward(kLast));
  });
  std::optional<int> result = sut.get_results<int>();
  for (int expected = 0; result != kLast; ++expected) {
    ASSERT_EQ(result, expected);
    result = sut.get_results<int>();
  }
  killer.join();
  std::uint32_t restarts = 0;
  for (const StageStatus& stage : sut.status().stages) {
    restarts += stage.restarts;
  }
  EXPECT_GT(restarts, 0U);
}

TEST(FaultsTest, ACrashingItemIsTriedAgain) {
  const SharedCount crashes;
  Pipeline sut;
  sut.add([crashes](int x) {
    if (x == 3 && (*crashes)++ == 0) {
      std::abort();
    }
    return x;
  });
  sut.parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({1, 2, 3, 4}), 4U);
  EXPECT_EQ(read_all<int>(sut, 4), (std::vector<int>{1, 2, 3, 4}));
}

TEST(FaultsTest, TerminatedTellsStageSignalAndItem) {
  Pipeline sut;
  sut.add(same, "Good");
  sut.add([](int x) { return x == 2 ? (std::abort(), x) : x; }, "Bad", {.on_crash = OnCrash::fail});
  sut.parallelize({.block_output = true, .output_timeout = kDeadline, .results = Results::all});
  EXPECT_EQ(sut.forward_all({0, 1, 2, 3}), 4U);
  EXPECT_EQ(sut.get_results<int>(), 0);
  EXPECT_EQ(sut.get_results<int>(), 1);
  try {
    EXPECT_TRUE(sut.get_results<int>());
    FAIL();
  } catch (const PipelineTerminated& error) {
    EXPECT_EQ(error.reason().stage, "MainPipeline__Bad");
    EXPECT_EQ(error.reason().signal, SIGABRT);
    EXPECT_EQ(error.reason().item, 2U);
    EXPECT_TRUE(contains(error.what(), "MainPipeline__Bad"));
  }
  EXPECT_THROW(std::ignore = sut.forward(1), PipelineTerminated);
  EXPECT_THROW(std::ignore = sut.drain(kDeadline), PipelineTerminated);
  sut.cleanup();
  EXPECT_THROW(std::ignore = sut.forward(1), PipelineUndefined);
}

TEST(FaultsTest, AStageThatThrowsForGoodEndsThePipelineWithItsMessage) {
  Pipeline sut;
  sut.add([](int x) { return x == 1 ? throw std::runtime_error("no such camera") : x; }, "Camera",
          {.on_error = OnError::fail});
  sut.parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({0, 1}), 2U);
  EXPECT_EQ(sut.get_results<int>(), 0);
  const std::string message = message_of<PipelineTerminated>([&] { static_cast<void>(sut.get_results<int>()); });
  EXPECT_TRUE(contains(message, "no such camera"));
  EXPECT_TRUE(contains(message, "MainPipeline__Camera"));
  EXPECT_TRUE(contains(message, "item 1"));
}

TEST(FaultsTest, AThrowingItemCanBeSkippedOrRetried) {
  const SharedCount tries;
  Pipeline sut;
  sut.add([](int x) { return x == 1 ? throw std::runtime_error("bad") : x; }, "Skips", {.on_error = OnError::skip});
  sut.add([tries](int x) { return x == 2 && ++*tries < 3 ? throw std::runtime_error("busy") : x; }, "Retries",
          {.on_error = OnError::retry});
  sut.parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({0, 1, 2, 3}), 4U);
  EXPECT_EQ(read_all<int>(sut, 3), (std::vector<int>{0, 2, 3}));
  EXPECT_EQ(*tries, 3);
}

TEST(FaultsTest, AHangingStageIsKilledAndTheItemTriedAgain) {
  const SharedCount hangs;
  Pipeline sut;
  sut.add(
      [hangs](int x) {
        if (x == 1 && (*hangs)++ == 0) {
          std::this_thread::sleep_for(24h);
        }
        return x;
      },
      "Hangs", {.timeout = 100ms});
  sut.parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({0, 1, 2}), 3U);
  EXPECT_EQ(read_all<int>(sut, 3), (std::vector<int>{0, 1, 2}));
}

TEST(FaultsTest, AStartThatFailsThrowsAndLeavesNothing) {
  struct Broken final : Stage<int>, CheckpointArea<8> {
    int operator()(int x) override { return x; }
  };
  Pipeline sut;
  sut.add(same, "A");
  sut.parallelize({.capacity = {.items = {}, .bytes = {}}});
  sut.cleanup();
  Pipeline huge;
  for (int i = 0; i < 300; ++i) {
    huge.add(same);
  }
  const auto message = message_of<PipelineInitiationError>(
      [&] { huge.parallelize({.capacity = {.items = {}, .bytes = std::uint64_t{1} << 60}}); });
  EXPECT_TRUE(contains(message, "did not start"));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);  // no child is left
}

TEST(FaultsTest, EverythingEndsWithTheCoordinatorAndNothingHangs) {
  for (const bool reading : {true, false}) {
    Pipeline sut;
    sut.add(same).add(same);
    sut.parallelize({.input_timeout = 1h,
                     .block_output = true,
                     .output_timeout = 1h,
                     .results = Results::all,
                     .capacity = {.items = 2, .bytes = {}}});
    const PipelineStatus status = sut.status();
    std::jthread killer([&] {
      std::this_thread::sleep_for(20ms);
      ::kill(status.coordinator, SIGKILL);
    });
    const auto wait_for_ever = [&] {
      while (reading ? sut.get_results<int>().has_value() : sut.forward(1)) {
      }
    };
    const std::string message = message_of<PipelineTerminated>(wait_for_ever);
    EXPECT_TRUE(contains(message, "coordinator"));
    EXPECT_TRUE(contains(message, "SIGKILL"));
    for (const StageStatus& stage : status.stages) {
      EXPECT_TRUE(wait_until([&] { return !alive(stage.pid); }));
    }
    EXPECT_THROW(sut.status(), PipelineTerminated);
    sut.cleanup();
    sut.parallelize(kAllResults);
    EXPECT_TRUE(sut.forward(1));
    EXPECT_EQ(sut.get_results<int>(), 1);
  }
}

TEST(FaultsTest, AChildOfASerialPipelineThatEndsDoesNotHangForward) {
  Pipeline child;
  child.add([](int x) { return x == 1 ? throw std::runtime_error("bad") : x; }, "Bad", {.on_error = OnError::fail});
  child.parallelize();
  Pipeline sut;
  sut.add(child.as_stage(), "Child").serialize({.results = Results::all});
  EXPECT_TRUE(sut.forward(0));
  EXPECT_TRUE(
      contains(message_of<PipelineTerminated>([&] { static_cast<void>(sut.forward(1)); }), "MainPipeline__Child__Bad"));
  EXPECT_THROW(std::ignore = sut.forward(2), PipelineTerminated);
}

TEST(FaultsTest, ATerminatedCoordinatorSaysSo) {
  Pipeline sut;
  sut.add(same).parallelize(kAllResults);
  ::kill(sut.status().coordinator, SIGTERM);
  std::string message;
  ASSERT_TRUE(wait_until([&] {
    try {
      EXPECT_TRUE(sut.forward(1));
      return false;
    } catch (const PipelineTerminated& error) {
      message = error.what();
      return true;
    }
  }));
  EXPECT_TRUE(contains(message, "SIGTERM"));
}

/// Runs a program of its own in a child process that is then killed; true if its pipeline drained and ended.
class UsersDeath {
 public:
  SharedCount seen;
  SharedCount cleaned;
  SharedCount coordinator;
  SharedCount fed;
  SharedCount go;

  void run(const std::function<void(Pipeline&)>& start) {
    const pid_t user = ::fork();
    if (user == 0) {
      Pipeline pipeline;
      start(pipeline);
      *coordinator = pipeline.status().coordinator;
      while (*fed < 200 && pipeline.forward(fed->load())) {
        ++*fed;
      }
      ++*go;
      ::pause();
    }
    ASSERT_TRUE(wait_until([&] { return *fed > 0 && *go > 0; }));
    ::kill(user, SIGKILL);
    ::waitpid(user, nullptr, 0);
    ++*go;
    EXPECT_TRUE(wait_until([&] { return !alive(*coordinator); }));
  }
};

struct Slow final : Stage<int> {
  explicit Slow(const UsersDeath& death) : seen(death.seen), cleaned(death.cleaned), go(death.go) {}
  int operator()(int x) override {
    while (*go < 2) {
      std::this_thread::sleep_for(1ms);
    }
    ++*seen;
    return x;
  }
  void cleanup() override { ++*cleaned; }
  SharedCount seen, cleaned, go;
};

TEST(UsersDeathTest, ThePipelineDrainsAndEnds) {
  for (const Results results : {Results::all, Results::newest}) {
    UsersDeath death;
    death.run([&](Pipeline& pipeline) {
      pipeline.add(same).add(Slow(death)).add(same);
      pipeline.parallelize({.block_input = false, .results = results, .capacity = {.items = 8, .bytes = {}}});
    });
    EXPECT_EQ(*death.seen, *death.fed);
    EXPECT_EQ(*death.cleaned, 1);
  }
}

/// A link says that there is more in it than its producer has written.
void damage(pid_t coordinator, std::uint32_t link) {
  const shm::Segment segment = segment_of(coordinator);
  const std::size_t size = segment.header().total_bytes;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, segment.fd(), 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* page =
      reinterpret_cast<shm::ProducerPage*>(static_cast<std::byte*>(memory) + segment.link(link).producer_offset);
  page->write_position.fetch_add(shm::kRecordAlign);
  ::munmap(memory, size);
}

TEST(FaultsTest, ADamagedLinkOfThisProcessIsNamedByItsEnds) {
  Pipeline sut;
  sut.add(same, "A").add(same, "B").parallelize(kAllResults);
  damage(sut.status().coordinator, 2);
  EXPECT_TRUE(
      contains(message_of<Error>([&] { static_cast<void>(sut.get_results<int>()); }), "link B -> Exit is damaged"));
}

TEST(FaultsTest, ADamagedLinkFromAChildIsNamedByItsEnds) {
  Pipeline child;
  child.add(same, "B").parallelize();
  Pipeline sut;
  sut.add(child.as_stage(), "Child").serialize({.results = Results::all});
  ASSERT_TRUE(sut.forward(1));
  const pid_t worker = workers_of(sut).front();
  ASSERT_EQ(::kill(worker, SIGSTOP), 0);  // so that it says nothing else meanwhile
  damage(sut.status().coordinator, 1);
  EXPECT_TRUE(contains(message_of<Error>([&] { static_cast<void>(sut.forward(2)); }),
                       "link Child.B -> MainPipeline is damaged"));
  ::kill(worker, SIGCONT);
}

}  // namespace
}  // namespace pystream::test
