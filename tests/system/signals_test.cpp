#include <pty.h>

#include <filesystem>

#include "coord/control_socket.hpp"
#include "support/pipeline_run.hpp"

/// What a run makes of signals: of those it inherits a disposition of, and of those it is sent.
namespace pystream {
namespace {

using namespace pystream::test;
using namespace std::chrono_literals;

class SignalsTest : public ::testing::Test {
 protected:
  /// Numbers of 8 bytes, 0 and so on, through a stage and a program. `count` 0: without end, one a millisecond.
  std::string plan(int count,
                   const std::string& stage = R"({"name": "A", "type": "test.add", "params": {"n": 0}})") const {
    return R"({"plugins": ["libpystream_testing.so"], "source": {"type": "generate", "params": {"size": 8, "count": )" +
           std::to_string(count) + (count == 0 ? R"(, "period": "1ms")" : "") + R"(}}, "stages": [)" + stage +
           R"(, {"name": "B", "type": "exec", "params": {"command": ["cat"], "framing": "u32"}}],
           "sink": {"type": "file_writer", "params": {"newline": "never", "path": ")" +
           output + R"("}}, "profiler": {"enabled": true}})";
  }
  bool is_flowing() const {
    std::error_code error;
    const auto size = std::filesystem::file_size(output, error);
    return !error && size > 400;
  }
  /// Every number from 0 on, and at least some.
  void check_output() const {
    const std::string bytes = read_file(output);
    ASSERT_EQ(bytes.size() % 8, 0U);
    ASSERT_GT(bytes.size(), 0U);
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      std::uint64_t number = 0;
      std::memcpy(&number, bytes.data() + at, 8);
      ASSERT_EQ(number, at / 8);
    }
  }
  /// The stage that hangs does so in pause().
  static bool is_paused(pid_t pid) { return read_file("/proc/" + std::to_string(pid) + "/syscall").starts_with("34 "); }
  static bool is_draining(pid_t pid) {
    return coord::ask_coordinator(pid, "status").value_or("").find("draining") != std::string::npos;
  }

  const TempFolder folder;
  const std::string output = folder / "output";
};

void block(std::initializer_list<int> signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) {
    ::sigaddset(&set, signal);
  }
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
}

void block_all() {
  sigset_t set;
  ::sigfillset(&set);
  ::sigprocmask(SIG_SETMASK, &set, nullptr);
}

void ignore_all() {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    std::signal(signal, SIG_IGN);
  }
}

TEST_F(SignalsTest, WhatTheParentIgnoredOrBlockedChangesNoRun) {
  const std::vector<std::pair<const char*, std::function<void()>>> parents{
      {"SIGCHLD ignored", [] { std::signal(SIGCHLD, SIG_IGN); }},
      {"SIGPIPE ignored", [] { std::signal(SIGPIPE, SIG_IGN); }},
      {"SIGCHLD blocked", [] { block({SIGCHLD}); }},
      {"all ignored", ignore_all},
      {"all blocked", block_all},
      {"all ignored and blocked",
       [] {
         ignore_all();
         block_all();
       }},
  };
  for (const auto& [name, prepare] : parents) {
    PipelineRun run(plan(100), folder, {}, PipelineRun::Start::at_once, prepare);
    EXPECT_EQ(run.wait(), 0) << name << "\n" << run.errors();
    check_output();
    EXPECT_EQ(read_file(output).size(), 800U) << name;
    std::filesystem::remove(output);
  }
}

TEST_F(SignalsTest, ASignalThatTheParentIgnoredOrBlockedDrainsAllTheSame) {
  const std::vector<std::pair<int, std::function<void()>>> cases{{SIGTERM, [] { std::signal(SIGTERM, SIG_IGN); }},
                                                                 {SIGTERM,
                                                                  [] {
                                                                    block({SIGTERM, SIGINT, SIGHUP});
                                                                  }},
                                                                 {SIGINT,
                                                                  [] {
                                                                    block({SIGTERM, SIGINT, SIGHUP});
                                                                  }},
                                                                 {SIGHUP, block_all}};
  for (const auto& [signal, prepare] : cases) {
    PipelineRun run(plan(0), folder, {}, PipelineRun::Start::at_once, prepare);
    ASSERT_TRUE(wait_until([&] { return is_flowing(); })) << run.errors();
    run.signal(signal);
    EXPECT_EQ(run.wait(), 0) << signal << "\n" << run.errors();
    check_output();
    std::filesystem::remove(output);
  }
}

TEST_F(SignalsTest, AClosedTerminalDrains) {
  PipelineRun run(plan(0), folder);
  ASSERT_TRUE(wait_until([&] { return is_flowing(); })) << run.errors();
  run.signal(SIGHUP);
  EXPECT_EQ(run.wait(), 0) << run.errors();
  check_output();
}

TEST_F(SignalsTest, WhatIsIgnoredOnPurposeStaysIgnored) {
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT}) {  // nohup; a job in the background of a script
    PipelineRun run(plan(0), folder, {}, PipelineRun::Start::at_once, [signal] { std::signal(signal, SIG_IGN); });
    ASSERT_TRUE(wait_until([&] { return is_flowing(); })) << run.errors();
    run.signal(signal);
    const auto before = std::filesystem::file_size(output);
    EXPECT_TRUE(wait_until([&] { return std::filesystem::file_size(output) > before + 400; })) << signal;
    EXPECT_FALSE(is_draining(run.pid())) << signal;
    run.signal(SIGTERM);
    EXPECT_EQ(run.wait(), 0) << run.errors();
    check_output();
    std::filesystem::remove(output);
  }
}

TEST_F(SignalsTest, ASignalToTheWholeGroupDrainsOnce) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    PipelineRun run(plan(0), folder, {}, PipelineRun::Start::at_once, [] { ::setpgid(0, 0); });
    ASSERT_TRUE(wait_until([&] { return is_flowing(); })) << run.errors();
    run.signal(signal);
    ::kill(-run.pid(), signal);
    EXPECT_EQ(run.wait(), 0) << signal << "\n" << run.errors();
    check_output();
    std::filesystem::remove(output);
  }
}

/// Runs the plan under timeout(1); gives its status as waitpid() does.
int run_under_timeout(const std::string& file, const char* signal, int seconds, const TempFolder& folder) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int errors = ::open((folder / "stderr").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(errors, STDERR_FILENO);
    ::setenv("PYSTREAM_PROFILES", (folder / "profiles").c_str(), 1);
    base::reset_all_signals();
    ::execlp("timeout", "timeout", "--preserve-status", "-s", signal, std::to_string(seconds).c_str(),
             PYSTREAM_TEST_COORD, "run", file.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return status;
}

/// It signals its child and then the whole group; the stage keeps items inside until long after both. A slow machine
/// may not have started the pipeline when the time is over; then it gets more.
TEST_F(SignalsTest, TimeoutOfCoreutilsLosesNothing) {
  const std::string slow = R"({"name": "Slow", "type": "wait", "params": {"time": "2ms"}})";
  const std::string file = folder.write("plan.json", plan(0, slow));
  for (const char* signal : {"TERM", "HUP"}) {
    bool flowed = false;
    for (int seconds = 1; !flowed && seconds <= 64; seconds *= 4) {
      const int status = run_under_timeout(file, signal, seconds, folder);
      std::error_code none;
      flowed = std::filesystem::file_size(output, none) > 0 && !none;
      if (flowed) {
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << signal << "\n" << folder.read("stderr");
        check_output();
      }
      std::filesystem::remove(output);
    }
    EXPECT_TRUE(flowed) << signal << "\n" << folder.read("stderr");
  }
}

TEST_F(SignalsTest, QuitStopsAtOnce) {
  PipelineRun run(plan(0), folder);
  ASSERT_TRUE(wait_until([&] { return is_flowing(); })) << run.errors();
  run.signal(SIGQUIT);
  EXPECT_EQ(run.wait(), 130) << run.errors();
  check_output();
  EXPECT_TRUE(wait_until(nothing_is_left));
}

TEST_F(SignalsTest, CtrlCTwiceStopsAtOnce) {
  const std::string file = folder.write(
      "plan.json", plan(0, R"({"name": "A", "type": "test.crash", "params": {"how": "hang", "sequence": 60}})"));
  int terminal = -1;
  const pid_t pid = ::forkpty(&terminal, nullptr, nullptr, nullptr);
  if (pid == 0) {
    ::setenv("PYSTREAM_PROFILES", (folder / "profiles").c_str(), 1);
    base::reset_all_signals();
    ::execl(PYSTREAM_TEST_COORD, PYSTREAM_TEST_COORD, "run", "-q", file.c_str(), nullptr);
    ::_exit(127);
  }
  const base::UniqueFd keyboard(terminal);
  ASSERT_TRUE(wait_until([&] { return std::ranges::any_of(children_of(pid), is_paused); }));
  ASSERT_EQ(::write(terminal, "\x03", 1), 1);
  ASSERT_TRUE(wait_until([&] { return is_draining(pid); }));
  ASSERT_EQ(::write(terminal, "\x03", 1), 1);
  int status = 0;
  const bool ended = wait_until([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }, 20s);
  EXPECT_TRUE(ended && WIFEXITED(status) && WEXITSTATUS(status) == 130) << status;
  if (!ended) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
  }
}

TEST_F(SignalsTest, ALongDrainSaysHowManyItemsAreInsideAndWhatToDo) {
  for (const bool quiet : {false, true}) {
    PipelineRun run(plan(0, R"({"name": "A", "type": "test.crash", "params": {"how": "hang", "sequence": 60}})"),
                    folder, quiet ? std::vector<std::string>{"-q"} : std::vector<std::string>{});
    ASSERT_TRUE(wait_until([&] { return std::ranges::any_of(run.workers(), is_paused); })) << run.errors();
    run.signal(SIGTERM);
    if (quiet) {
      ASSERT_TRUE(wait_until([&] { return is_draining(run.pid()); }));
      ::usleep(1'300'000);
      EXPECT_EQ(run.errors(), "");
    } else {
      EXPECT_TRUE(wait_until([&] { return run.errors().find("draining: ") != std::string::npos; })) << run.errors();
      for (const char* word : {" inside", " A;", "again stops at once"}) {
        EXPECT_NE(run.errors().find(word), std::string::npos) << word << " is not in\n" << run.errors();
      }
    }
    run.signal(SIGQUIT);
    EXPECT_EQ(run.wait(), 130) << run.errors();
    std::filesystem::remove(output);
  }
}

TEST_F(SignalsTest, WorkersDieOfNothingThatAGroupIsSent) {
  PipelineRun run(plan(0), folder);
  ASSERT_TRUE(wait_until([&] { return is_flowing(); })) << run.errors();
  const std::vector<pid_t> before = run.workers();
  for (const pid_t worker : before) {
    for (const int signal : {SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ}) {
      ::kill(worker, signal);
    }
  }
  const auto size = std::filesystem::file_size(output);
  EXPECT_TRUE(wait_until([&] { return std::filesystem::file_size(output) > size + 400; })) << run.errors();
  EXPECT_EQ(run.workers(), before);
  run.signal(SIGTERM);
  EXPECT_EQ(run.wait(), 0) << run.errors();
  check_output();
}

}  // namespace
}  // namespace pystream
