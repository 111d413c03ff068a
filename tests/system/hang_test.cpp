#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/codec.hpp"
#include "coord/control_socket.hpp"
#include "coord/live_status.hpp"
#include "support/child.hpp"
#include "support/pipeline_run.hpp"
#include "support/sanitized.hpp"
#include "system/fault_plan.hpp"

/// Stages that hang, and how people see what workers are at.
namespace pystream::test {
namespace {

TEST(HangTest, TheReportOfAHungStageHasItsStack) {
  if (kSanitized) {
    GTEST_SKIP() << "with AddressSanitizer a worker has no handler of its own that could tell";
  }
  const FaultRun result = run_stages(crash_stage("Stuck", "hang", 5, R"(, "timeout": "300ms")", 1));
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, numbered_lines(0, 100));
  EXPECT_CONTAINS(result.run.err, "crash: stage Stuck hung and was killed on item 5");
  EXPECT_CONTAINS(result.run.err, "  #0 ");
  EXPECT_CONTAINS(result.run.err, "libpystream_testing.so+0x");
}

std::string command_line(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
  std::string words;
  for (std::string word; std::getline(file, word, '\0');) {
    words += word + " ";
  }
  return words;
}

std::string name_of(pid_t pid) {
  std::string name;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/comm") >> std::ws, name);
  return name;
}

/// Waits for a line on the run's standard error.
testing::AssertionResult says(const PipelineRun& run, const std::string& text) {
  if (wait_until([&] { return run.errors().find(text) != std::string::npos; })) {
    return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "\"" << text << "\" does not come; so far:\n" << run.errors();
}

TEST(HangTest, AStageWithoutATimeoutIsShownWarnedOfAndNamed) {
  const TempFolder folder;
  folder.write("in.txt", numbered_lines(0, 100));
  const std::string plan =
      R"({"plugins": ["libpystream_testing.so"],
          "source": {"type": "lines", "params": {"path": ")" +
      folder / "in.txt" + R"("}}, "stages": [)" + crash_stage("Stuck", "hang", 5) +
      R"(], "sink": {"type": "file_writer", "params": {"path": ")" + folder / "out.txt" + R"("}}})";
  const PipelineRun run(plan, folder);
  ASSERT_TRUE(says(run, "stage Stuck has been working on item 5 for 1"));
  EXPECT_CONTAINS(run.errors(), "set a timeout");

  std::set<std::string> names;
  std::string lines;
  for (const pid_t pid : run.children()) {
    names.insert(name_of(pid));
    lines += command_line(pid) + "\n";
  }
  EXPECT_TRUE(names.contains("Stuck") && names.contains("Sink")) << lines;
  EXPECT_CONTAINS(lines, " MainPipeline__Stuck \n");

  const std::string pid = std::to_string(run.pid());
  const ProgramRun json = coord({"top", pid, "--once", "--json", "--interval", "0.1"});
  EXPECT_CONTAINS(json.out, R"("in_work": "item 5", "in_work_s": 1)");
  EXPECT_CONTAINS(json.out, R"("working": 1,)");
  const ProgramRun screen = coord({"top", pid, "--once", "--interval", "0.1"});
  EXPECT_CONTAINS(screen.out, "item 5 for 1");
  EXPECT_CONTAINS(screen.out, "100.0 %");
}

/// Whether the coordinator answers, and says that an item is in work.
bool shows_an_item(const PipelineRun& run) {
  const auto answer = coord::ask_coordinator(run.pid(), "figures");
  const auto workers = answer ? base::decode<coord::LiveStatus>(*answer).workers : std::vector<coord::LiveWorker>();
  return std::ranges::any_of(workers, [](const coord::LiveWorker& worker) { return !worker.item.empty(); });
}

/// Ctrl-Z, a frozen container or a machine that slept: the coordinator is the first that goes on, and looks after
/// workers that seem to have been at one item for longer than they may.
TEST(HangTest, APauseOfTheWholePipelineIsNoHang) {
  const TempFolder folder;
  PipelineRun run(R"({"source": {"type": "generate", "params": {"count": 1, "size": 8}}, "stages": [
                      {"name": "Slow", "type": "wait", "timeout": "6s", "params": {"time": "2s"}}],
                      "sink": {"type": "discard"}, "profiler": {"enabled": false}})",
                  folder);
  ASSERT_TRUE(wait_until([&] { return shows_an_item(run); })) << run.errors();
  const std::vector<pid_t> workers = run.workers();
  run.signal(SIGSTOP);
  for (const pid_t worker : workers) {
    ::kill(worker, SIGSTOP);
  }
  std::this_thread::sleep_for(std::chrono::seconds(7));  // the pause itself
  run.signal(SIGCONT);
  for (int look = 0; look < 2; ++look) {  // it has looked once at least before it answers the second time
    ASSERT_TRUE(wait_until([&] { return coord::ask_coordinator(run.pid(), "figures").has_value(); }));
  }
  for (const pid_t worker : workers) {
    ::kill(worker, SIGCONT);
  }
  EXPECT_EQ(run.wait(), 0) << run.errors();
  EXPECT_EQ(run.errors().find("hangs"), std::string::npos) << run.errors();
}

bool handles_interrupts(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("SigCgt:")) {
      return (std::stoull(line.substr(7), nullptr, 16) >> (SIGINT - 1) & 1) != 0;
    }
  }
  return false;
}

/// A pipeline that flows until it is told to end.
class BesideAPipeline : public testing::Test {
 protected:
  BesideAPipeline()
      : run_(R"({"source": {"type": "generate", "params": {"count": 0, "period": "10ms", "size": 8}}, "stages": [
                 {"name": "Pass", "type": "wait", "params": {"time": "0s"}}], "sink": {"type": "discard"},
                 "profiler": {"enabled": false}})",
             folder_) {}

  void SetUp() override {
    ASSERT_TRUE(wait_until([&] { return coord::ask_coordinator(run_.pid(), "figures").has_value(); })) << run_.errors();
  }

  const TempFolder folder_;
  PipelineRun run_;
};

TEST_F(BesideAPipeline, AStoppedOneIsNamedAndHoldsNobodyUp) {
  run_.signal(SIGSTOP);
  for (int i = 0; i < 40; ++i) {  // more than wait to be answered at a time
    EXPECT_FALSE(coord::ask_coordinator(run_.pid(), "figures", 10));
  }
  const std::string silent = "process " + std::to_string(run_.pid()) + " runs a pipeline and does not answer";
  EXPECT_CONTAINS(coord({"list"}).err, silent);
  const ProgramRun stop = coord({"stop", std::to_string(run_.pid())});
  EXPECT_EQ(stop.exit_code, 1);
  EXPECT_CONTAINS(stop.err, silent);
  run_.signal(SIGCONT);
  ASSERT_TRUE(wait_until([&] { return coord::ask_coordinator(run_.pid(), "drain").has_value(); }));
  EXPECT_EQ(run_.wait(), 0) << run_.errors();
}

/// This process is slow to reap its child.
TEST_F(BesideAPipeline, StopWaitsForTheEndAndNotForWhoeverReaps) {
  EXPECT_EQ(coord({"stop", std::to_string(run_.pid()), "--wait"}).exit_code, 0);
  EXPECT_EQ(run_.wait(), 0) << run_.errors();
}

TEST_F(BesideAPipeline, TopEndsAtCtrlCWithinALongInterval) {
  Child top([&] {
    const std::string pid = std::to_string(run_.pid());
    ::execl(PYSTREAM_TEST_COORD, PYSTREAM_TEST_COORD, "top", pid.c_str(), "--interval", "3600", nullptr);
  });
  ASSERT_TRUE(wait_until([&] { return handles_interrupts(top.pid()); }));
  top.signal(SIGINT);
  EXPECT_TRUE(wait_until([&] { return top.ended(); }));
  EXPECT_EQ(top.status(), 0);
}

}  // namespace
}  // namespace pystream::test
