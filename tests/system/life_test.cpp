#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "coord/control_socket.hpp"
#include "support/pipeline_run.hpp"
#include "support/sanitized.hpp"

/// How a pipeline ends, on purpose or not, and what it leaves behind: nothing.
namespace pystream {
namespace {

using namespace pystream::test;
using namespace std::chrono_literals;

std::string plan_of(const std::string& stages, const std::string& output,
                    const std::string& source = R"("count": 0, "period": "1ms", "size": 8)",
                    const std::string& more = "") {
  return R"({"plugins": ["libpystream_testing.so"], "source": {"type": "generate", "params": {)" + source +
         R"(}}, "stages": [)" + stages +
         R"(], "sink": {"type": "file_writer", "params": {"newline": "never", "path": ")" + output +
         R"("}}, "profiler": {"enabled": false})" + more + "}";
}

const std::string kThree =
    R"({"name": "A", "type": "test.add"}, {"name": "B", "type": "exec", "params": {"command": ["cat"], "framing": "u32"}}, {"name": "C", "type": "test.filter", "params": {"n": 2}})";

bool is_flowing(const std::string& output) {
  std::error_code error;
  return std::filesystem::exists(output) && std::filesystem::file_size(output, error) > 400;
}

/// The stage that hangs does so in pause().
bool is_paused(pid_t pid) {
  return read_file("/proc/" + std::to_string(pid) + "/syscall").starts_with("34 ");
}

/// Whole items, numbered without a gap, as far as the pipeline came.
void check_is_prefix(const std::string& output, std::uint64_t first, std::uint64_t step) {
  ASSERT_EQ(output.size() % 8, 0U);
  for (std::size_t at = 0; at < output.size(); at += 8) {
    std::uint64_t number = 0;
    std::memcpy(&number, output.data() + at, 8);
    ASSERT_EQ(number, first + at / 8 * step) << at;
  }
}

class LifeTest : public ::testing::Test {
 protected:
  const TempFolder folder;
  const std::string output = folder / "output";
};

TEST_F(LifeTest, ASignalDrainsAndEndsWithSuccess) {
  for (const int signal : {SIGINT, SIGTERM}) {
    PipelineRun run(plan_of(kThree, output), folder);
    ASSERT_TRUE(wait_until([&] { return is_flowing(output); })) << run.errors();
    run.signal(signal);
    EXPECT_EQ(run.wait(), 0) << run.errors();
    check_is_prefix(read_file(output), 2, 2);
    EXPECT_TRUE(wait_until(nothing_is_left));
    std::filesystem::remove(output);
  }
}

TEST_F(LifeTest, EveryStageIsCleanedUpOnceHoweverThePipelineEnds) {
  const auto stage = [&](const std::string& name) {
    return R"({"name": ")" + name + R"(", "type": "test.farewell", "params": {"line": ")" + name + R"(", "path": ")" +
           (folder / "farewells") + R"("}})";
  };
  const std::string stages = stage("A") + R"(, {"name": "S", "mode": "serial", "stages": [)" + stage("B") +
                             R"(, {"name": "P", "mode": "parallel", "stages": [)" + stage("C") + "]}, " + stage("D") +
                             "]}";
  for (const int signal : {0, SIGINT, SIGTERM}) {
    const std::string source = R"("period": "1ms", "size": 8, "count": )" + std::string(signal == 0 ? "100" : "0");
    PipelineRun run(plan_of(stages, output, source), folder);
    if (signal != 0) {
      ASSERT_TRUE(wait_until([&] { return is_flowing(output); })) << run.errors();
      run.signal(signal);
    }
    EXPECT_EQ(run.wait(), 0) << run.errors();
    const std::string text = read_file(folder / "farewells");
    for (const char* line : {"A\n", "B\n", "C\n", "D\n"}) {
      EXPECT_NE(text.find(line), std::string::npos) << line << " is not in " << text;
    }
    EXPECT_EQ(text.size(), 8U) << text;
    std::filesystem::remove(folder / "farewells");
    std::filesystem::remove(output);
  }
}

TEST_F(LifeTest, ASecondSignalStopsAtOnce) {
  PipelineRun run(plan_of(R"({"name": "A", "type": "test.crash", "params": {"how": "hang", "sequence": 60}})", output),
                  folder);
  ASSERT_TRUE(wait_until([&] { return std::ranges::any_of(run.workers(), is_paused); })) << run.errors();
  run.signal(SIGINT);
  ASSERT_TRUE(wait_until([&] {
    return coord::ask_coordinator(run.pid(), "status").value_or("").find("draining") != std::string::npos;
  })) << run.errors();
  ::usleep(600'000);  // an echo of the first one comes earlier
  EXPECT_FALSE(run.ended());
  run.signal(SIGINT);
  EXPECT_EQ(run.wait(), 130) << run.errors();
  EXPECT_TRUE(wait_until(nothing_is_left));
}

TEST_F(LifeTest, NothingIsLeftOfAKilledCoordinator) {
  for (const bool stopped : {false, true}) {
    PipelineRun run(plan_of(kThree, output), folder);
    ASSERT_TRUE(wait_until([&] { return is_flowing(output); })) << run.errors();
    std::vector<pid_t> all = run.workers();
    EXPECT_EQ(all.size(), 5U);
    if (stopped) {
      run.signal(SIGSTOP);
      ::kill(all[1], SIGKILL);
    }
    run.signal(SIGKILL);
    EXPECT_TRUE(wait_until([&] { return run.ended() && nothing_is_left(); })) << "a process is left";
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
      EXPECT_EQ(entry.path().string().find("pystream"), std::string::npos) << entry.path();
    }
    std::filesystem::remove(output);
  }
}

TEST_F(LifeTest, NothingIsLeftOfACoordinatorKilledAtAnyTimeOfItsStart) {
  const std::uint64_t seed = test_seed();
  std::mt19937_64 random(seed);
  for (int i = 0; i < 30; ++i) {
    PipelineRun run(plan_of(kThree, output), folder);
    ::usleep(static_cast<useconds_t>(random() % 60'000));
    run.signal(SIGKILL);
    ASSERT_TRUE(wait_until([&] { return run.ended() && nothing_is_left(); })) << "seed " << seed << ", start " << i;
  }
}

TEST_F(LifeTest, ACrashOnOneItemIsTriedAgain) {
  for (const char* how : {"segv", "abort", "exit", "leave", "kill"}) {
    const std::string stage = R"({"name": "A", "type": "test.crash", "params": {"how": ")" + std::string(how) +
                              R"(", "sequence": 50, "every": 50, "attempts": 2}})";
    PipelineRun run(plan_of(stage, output, R"("count": 200, "size": 8)"), folder);
    EXPECT_EQ(run.wait(), 0) << how << "\n" << run.errors();
    const std::string bytes = read_file(output);
    EXPECT_EQ(bytes.size(), 200U * 8) << how;
    check_is_prefix(bytes, 0, 1);
  }
}

TEST_F(LifeTest, AHangIsKilledAndTheItemTriedAgain) {
  PipelineRun run(
      plan_of(R"({"name": "A", "type": "test.crash", "timeout": "300ms", "params": {"how": "hang", "sequence": 50}})",
              output, R"("count": 100, "size": 8)"),
      folder);
  EXPECT_EQ(run.wait(), 0) << run.errors();
  EXPECT_EQ(read_file(output).size(), 800U);
  EXPECT_NE(run.errors().find("hangs"), std::string::npos) << run.errors();
}

TEST_F(LifeTest, ASlowStartIsNoHang) {
  PipelineRun run(plan_of(R"({"name": "A", "type": "test.sleep_start", "timeout": "200ms", "params": {"time": "1s"}})",
                          output, R"("count": 100, "size": 8)"),
                  folder);
  EXPECT_EQ(run.wait(), 0) << run.errors();
  EXPECT_EQ(read_file(output).size(), 800U);
  EXPECT_EQ(run.errors().find("hangs"), std::string::npos) << run.errors();
}

TEST_F(LifeTest, AHangInCleanupIsKilledAndCostsNoItem) {
  PipelineRun run(plan_of(R"({"name": "A", "type": "test.sleep_start", "start_timeout": "2s",
                              "params": {"time": "0s", "cleanup": "1h"}}, {"name": "B", "type": "test.add"})",
                          output, R"("count": 100, "size": 8)"),
                  folder);
  EXPECT_EQ(run.wait(), 1) << run.errors();
  EXPECT_EQ(read_file(output).size(), 800U) << "what it had done goes on to the sink";
  EXPECT_NE(run.errors().find("stage A hung in its cleanup() and was killed; every item was processed"),
            std::string::npos)
      << run.errors();
  EXPECT_TRUE(wait_until(nothing_is_left));
}

TEST_F(LifeTest, ARestartStormEndsWithStageSignalAndItem) {
  PipelineRun run(
      plan_of(
          R"({"name": "A", "type": "test.crash", "max_attempts": 1000, "params": {"how": "segv", "sequence": 7, "attempts": 1000}})",
          output, R"("count": 100, "size": 8)", R"(, "restarts": {"max_restarts": 3, "backoff_first": "1ms"})"),
      folder);
  const int code = run.wait();
  EXPECT_EQ(code, 1) << run.errors();
  for (const char* word : {"stage A", "SIGSEGV", "item 7"}) {
    EXPECT_NE(run.errors().find(word), std::string::npos) << word << " is not in\n" << run.errors();
  }
  EXPECT_TRUE(wait_until(nothing_is_left));
}

TEST_F(LifeTest, AFloodOfErrorLinesDoesNotDeafenTheCoordinator) {
  PipelineRun run(
      plan_of(
          R"({"name": "B", "type": "exec", "params": {"command": ["sh", "-c", "while :; do echo flood >&2; done & exec cat"], "framing": "u32"}})",
          output),
      folder, {"--quiet"});
  ASSERT_TRUE(wait_until([&] { return is_flowing(output); })) << run.errors().substr(0, 2000);
  run.signal(SIGTERM);
  EXPECT_EQ(run.wait(), 0);
  wait_until([] {
    for (const pid_t orphan : children_of(::getpid())) {
      ::kill(orphan, SIGKILL);
    }
    return nothing_is_left();
  });
}

std::size_t descriptors_of(pid_t pid) {
  std::error_code error;
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error), {}));
}

std::size_t resident_kib(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; file >> word;) {
    if (word == "VmRSS:") {
      std::size_t kib = 0;
      file >> kib;
      return kib;
    }
  }
  return 0;
}

/// AddressSanitizer keeps freed memory for a while.
constexpr std::size_t kAllowedKib = kSanitized ? 32 * 1024 : 512;

TEST_F(LifeTest, DescriptorsAndMemoryAreFlatOverRestarts) {
  PipelineRun run(plan_of(R"({"name": "A", "type": "test.add"})", output), folder, {"--quiet"});
  ASSERT_TRUE(wait_until([&] { return is_flowing(output); })) << run.errors();
  const int restarts = std::getenv("PYSTREAM_TEST_FULL") != nullptr ? 1000 : 100;
  std::size_t descriptors = 0;
  std::size_t memory = 0;
  for (int i = 0; i < restarts; ++i) {
    // The kernel's list of children may lack some while one of them comes or goes.
    std::vector<pid_t> before;
    ASSERT_TRUE(wait_until([&] { return (before = run.workers()).size() == 3; })) << run.errors();
    const auto size = std::filesystem::file_size(output);
    ::kill(before[1], SIGKILL);
    ASSERT_TRUE(wait_until([&] {
      return run.workers().size() == 3 && run.workers() != before && std::filesystem::file_size(output) > size;
    })) << run.errors();
    if (i == 20) {
      descriptors = descriptors_of(run.pid());
      memory = resident_kib(run.pid());
    }
  }
  // While it reports a crash, the coordinator has one more for a moment. A leak would be one for each restart.
  EXPECT_TRUE(wait_until([&] { return descriptors_of(run.pid()) <= descriptors; }))
      << descriptors_of(run.pid()) << " after " << descriptors;
  EXPECT_LE(resident_kib(run.pid()), memory + kAllowedKib);
  run.signal(SIGTERM);
  EXPECT_EQ(run.wait(), 0) << run.errors();
  check_is_prefix(read_file(output), 1, 1);
}

/// As from `tail -f`: what came is not held back until more comes.
TEST(LiveSource, HasPublishedWhatItHasWhenItWaitsForMore) {
  const TempFolder folder;
  const std::string fifo = folder / "feed";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const base::UniqueFd writer(::open(fifo.c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(writer);
  PipelineRun run(R"({"source": {"type": "lines", "params": {"path": ")" + fifo +
                      R"("}}, "stages": [{"name": "Pass", "type": "wait", "params": {"time": "0s"}}],
                      "sink": {"type": "file_writer", "params": {"path": ")" +
                      (folder / "out") + R"("}}, "profiler": {"enabled": false}})",
                  folder, {"--quiet"});
  std::string all;
  for (int burst = 0; burst < 3; ++burst) {
    std::string lines;
    for (int i = 0; i < 2000; ++i) {
      lines += std::to_string(i) + "\n";
    }
    all += lines;
    ASSERT_EQ(::write(writer.get(), lines.data(), lines.size()), static_cast<ssize_t>(lines.size()));
    ASSERT_TRUE(wait_until([&] { return read_file(folder / "out") == all; }))
        << "burst " << burst << ": " << read_file(folder / "out").size() << " of " << all.size() << " bytes";
  }
  ::kill(run.pid(), SIGTERM);
  EXPECT_EQ(run.wait(), 0) << run.errors();
}

}  // namespace
}  // namespace pystream
