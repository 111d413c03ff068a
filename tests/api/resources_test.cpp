#include <malloc.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "api/api_support.hpp"
#include "support/child.hpp"

/// Nothing is left behind, and pipelines do not get in each other's way.
namespace pystream::test {
namespace {

int same(int x) {
  return x;
}

std::size_t open_fds() {
  const std::filesystem::directory_iterator folder("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(folder), end(folder)));
}

/// How many mappings there are whose line has this text.
std::size_t mappings(const std::string& text = {}) {
  std::ifstream maps("/proc/self/maps");
  std::size_t found = 0;
  for (std::string line; std::getline(maps, line);) {
    found += line.find(text) != std::string::npos ? 1 : 0;
  }
  return found;
}

std::size_t heap_in_use() {
  return ::mallinfo2().uordblks;
}

/// A pipeline that runs all the time, fed and read by a thread of its own.
class Beside {
 public:
  Beside() {
    pipeline_.add(same).parallelize(kAllResults);
    thread_ = std::jthread([this](const std::stop_token& stop) {
      for (int i = 0; !stop.stop_requested(); ++i) {
        EXPECT_TRUE(pipeline_.forward(i));
        EXPECT_EQ(pipeline_.get_results<int>(), i);
        std::this_thread::sleep_for(1ms);
      }
    });
  }

 private:
  Pipeline pipeline_;
  std::jthread thread_;  // ends first
};

/// A daemon has closed them. What it prints all the same must not land in anything of the library's.
TEST(ClosedDescriptors, AreNotTakenByTheLibrary) {
  for (int closed = 0; closed <= 2; ++closed) {
    Child program([closed] {
      ::close(closed);
      Pipeline sut;
      sut.add(same, "First").add(same, "Second").parallelize(kAllResults);
      for (int i = 0; i < 200; ++i) {
        EXPECT_TRUE(sut.forward(i));
        [[maybe_unused]] const ssize_t put = ::write(closed, "printed by the program\n", 23);
        if (i == 100) {
          ::kill(static_cast<pid_t>(sut.status().stages[0].pid), SIGKILL);
        }
        if (sut.get_results<int>() != i) {
          ::_exit(2);
        }
      }
      sut.cleanup();
    });
    const int status = program.wait();
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "descriptor " << closed << ": status " << status;
  }
}

/// Reaps what there is; true once this process has no child, nor any that a dead child of its had left.
bool no_process_is_left() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  return errno == ECHILD;
}

TEST(ResourcesTest, AThousandPipelinesBesideAnotherInAThreadedProcessLeaveNothingBehind) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // a worker whose coordinator is gone comes to us
  std::optional<Beside> beside(std::in_place);
  const auto cycle = [](int i) {
    Pipeline sut({.use_profiler = i % 100 == 0});
    sut.add(same).add(same);
    sut.parallelize({.block_output = true, .output_timeout = kDeadline, .capacity = {.items = {}, .bytes = 65536}});
    EXPECT_TRUE(sut.forward(i));
    ASSERT_EQ(sut.get_results<int>(), i);
    sut.cleanup();
  };
  for (int i = 0; i < 20; ++i) {
    cycle(i);
  }
  const std::size_t fds = open_fds();
  const std::size_t memories = mappings("memfd:pystream");
  const std::size_t maps = mappings();
  const std::size_t heap = heap_in_use();
  for (int i = 0; i < 1000 && !HasFatalFailure(); ++i) {
    cycle(i);
  }
  EXPECT_EQ(open_fds(), fds);
  EXPECT_EQ(mappings("memfd:pystream"), memories);
#if !defined(__SANITIZE_ADDRESS__)  // its heap keeps what was freed for a while
  EXPECT_LE(mappings(), maps + 4);
  EXPECT_LE(heap_in_use(), heap + 64 * 1024);
#else
  static_cast<void>(maps);
  static_cast<void>(heap);
#endif
  beside.reset();
  EXPECT_TRUE(wait_until(no_process_is_left));
  ::prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST(ResourcesTest, SerialPipelinesLeaveNothingBehind) {
  const std::size_t fds = open_fds();
  for (int i = 0; i < 1000; ++i) {
    Pipeline sut;
    sut.add(same).serialize();
    EXPECT_TRUE(sut.forward(i));
  }
  EXPECT_EQ(open_fds(), fds);
}

TEST(ResourcesTest, TwoPipelinesSideBySide) {
  Pipeline first;
  first.add([](int x) { return x + 1; }).parallelize(kAllResults);
  {
    Pipeline second;
    second.add([](int x) { return x * 2; }).parallelize(kAllResults);
    for (int i = 0; i < 1000; ++i) {
      EXPECT_TRUE(first.forward(i));
      EXPECT_TRUE(second.forward(i));
      ASSERT_EQ(first.get_results<int>(), i + 1);
      ASSERT_EQ(second.get_results<int>(), 2 * i);
    }
  }
  EXPECT_TRUE(first.forward(1));
  EXPECT_EQ(first.get_results<int>(), 2);
}

TEST(ResourcesTest, TwoThreadsStartAndEndPipelinesOfTheirOwnAtOnce) {
  const auto cycles = [](int factor) {
    for (int i = 0; i < 50; ++i) {
      Pipeline sut;
      sut.add([factor](int x) { return x * factor; }).parallelize(kAllResults);
      EXPECT_TRUE(sut.forward(i));
      EXPECT_EQ(sut.get_results<int>(), i * factor);
    }
  };
  const std::size_t fds = open_fds();
  {
    std::jthread one(cycles, 2);
    std::jthread two(cycles, 3);
  }
  EXPECT_EQ(open_fds(), fds);
  EXPECT_TRUE(wait_until(no_process_is_left));
}

TEST(ResourcesTest, AFinishedPipelinesMemoryIsFreedWhileAnotherRuns) {
  Pipeline later;
  {
    Pipeline sut;
    sut.add(same).parallelize();
    later.add(same).parallelize();  // its processes are forked while the first one's memory is there
  }
  // Whoever still had the first one's memory open would show it here.
  for (const StageStatus& stage : later.status().stages) {
    std::size_t memories = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(stage.pid) + "/fd")) {
      std::error_code error;
      const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
      memories += target.find("memfd:pystream") != std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(memories, 1U);
  }
}

TEST(ThreadsTest, OneThreadFeedsAndOneReads) {
  Pipeline sut;
  sut.add(same).parallelize(kAllResults);
  std::jthread feeder([&] {
    for (int i = 0; i < 50'000; ++i) {
      EXPECT_TRUE(sut.forward(i));
    }
  });
  std::jthread watcher([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      sut.status();
    }
  });
  for (int i = 0; i < 50'000; ++i) {
    ASSERT_EQ(sut.get_results<int>(), i);
  }
}

TEST(ThreadsTest, TwoThreadsThatFeedTakeTurns) {
  Pipeline sut;
  sut.add(same).parallelize(kAllResults);
  constexpr int kEach = 10'000;
  const auto feed = [&](int first) {
    for (int i = 0; i < kEach; ++i) {
      EXPECT_TRUE(sut.forward(first + i));
    }
  };
  std::jthread low([&] { feed(0); });
  std::jthread high([&] { feed(kEach); });
  int next_low = 0;
  int next_high = kEach;
  for (int i = 0; i < 2 * kEach; ++i) {
    const int result = sut.get_results<int>().value_or(-1);
    ASSERT_EQ(result, result < kEach ? next_low++ : next_high++);  // each thread's items stay in its order
  }
}

TEST(ThreadsTest, TwoThreadsThatReadGetEachResultOnce) {
  Pipeline sut;
  sut.add(same).parallelize(kAllResults);
  constexpr int kItems = 20'000;
  std::vector<std::atomic<int>> seen(kItems);
  std::atomic<int> left = kItems;
  const auto read = [&] {
    while (left-- > 0) {
      ++seen.at(static_cast<std::size_t>(sut.get_results<int>().value()));
    }
  };
  {
    std::jthread one(read);
    std::jthread two(read);
    for (int i = 0; i < kItems; ++i) {
      EXPECT_TRUE(sut.forward(i));
    }
  }
  EXPECT_TRUE(std::all_of(seen.begin(), seen.end(), [](const std::atomic<int>& count) { return count == 1; }));
}

TEST(ThreadsTest, ALoanOfOneThreadHoldsUpTheOthers) {
  Pipeline sut;
  sut.add([](std::string text) { return text; });
  sut.parallelize({.input_timeout = 20ms, .block_output = true, .output_timeout = kDeadline, .results = Results::all});
  Loan loan = sut.loan(1);
  bool taken = true;
  std::jthread([&] { taken = sut.forward("x"); }).join();
  EXPECT_FALSE(taken);
  loan.bytes()[0] = std::byte{'y'};
  loan.forward();
  EXPECT_EQ(sut.get_results<std::string>(), "y");
}

TEST(ThreadsTest, SerialPipelinesCanBeSharedToo) {
  Pipeline sut;
  sut.add(same).serialize({.results = Results::all,
                           .results_limit = 16,
                           .input_timeout = kDeadline,
                           .block_output = true,
                           .output_timeout = kDeadline});
  std::jthread feeder([&] {
    for (int i = 0; i < 10'000; ++i) {
      EXPECT_TRUE(sut.forward(i));
    }
  });
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_EQ(sut.get_results<int>(), i);
  }
}

}  // namespace
}  // namespace pystream::test
