#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>

#include "base/process_start.hpp"
#include "base/unique_fd.hpp"
#include "cli/coord_program.hpp"
#include "support/link.hpp"

namespace pystream::test {
namespace {

/// Whose words come out of which standard stream of a run, and how few descriptors it gets along with.
class Streams : public testing::Test {
 protected:
  static std::string plan(const std::string& mode, const std::string& sink) {
    return R"({"plugins": [")" + odd_plugin("printing") + R"("], "mode": ")" + mode +
           R"(", "source": {"type": "lines", "params": {"path": "-"}}, "stages": [{"name": "Loud", "type": "odd.print"}],
           "sink": )" +
           sink + R"(, "profiler": {"enabled": false}})";
  }
  ProgramRun run(const std::string& plan, const std::vector<std::string>& options = {}) {
    folder_.write("plan.json", plan);
    std::vector<std::string> words{"run", "plan.json"};
    words.insert(words.end(), options.begin(), options.end());
    return coord(words, {.input = "one\ntwo\n", .directory = folder_.path()});
  }
  TempFolder folder_;
};

TEST_F(Streams, WhatStagesPrintIsTheirLogAndNotAmongTheItems) {
  for (const char* mode : {"parallel", "serial"}) {
    for (const char* sink : {R"({"type": "stdout"})", R"({"type": "file_writer", "params": {"path": "-"}})",
                             R"({"type": "file_writer", "params": {"path": "/dev/stdout", "newline": "always"}})",
                             R"({"type": "odd.output_sink"})"}) {
      const ProgramRun sut = run(plan(mode, sink));
      EXPECT_EQ(sut.exit_code, 0) << sut.err;
      EXPECT_EQ(sut.out, "one\ntwo\n") << mode << " " << sink;
      for (const char* word : {"noise: made", "noise: cout", "noise: printf", "noise: write", "noise: cleaned up"}) {
        EXPECT_CONTAINS(sut.err, word);
      }
    }
  }
}

TEST_F(Streams, WhatStagesPrintIsTheirLogWhateverTheSinkWrites) {
  for (const char* mode : {"parallel", "serial"}) {
    for (const char* sink : {R"({"type": "discard"})", R"({"type": "file_writer", "params": {"path": "out.txt"}})"}) {
      const ProgramRun sut = run(plan(mode, sink));
      EXPECT_EQ(sut.exit_code, 0) << sut.err;
      EXPECT_EQ(sut.out, "") << mode << " " << sink;
      EXPECT_CONTAINS(sut.err, "noise: cout");
    }
  }
}

TEST_F(Streams, ASinkThatHasItsWorkerToItselfMayPrintItsItems) {
  const ProgramRun sut = run(plan("parallel", R"({"type": "odd.print_sink"})"));
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
  EXPECT_EQ(sut.out, "one\ntwo\n");
}

/// Every limit either is enough, and then the output is exact, or is refused in a sentence.
TEST_F(Streams, FewDescriptorsAreEnoughOrRefused) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text += "line " + std::to_string(i) + "\n";
  }
  folder_.write("in.txt", text);
  folder_.write("plan.json", R"({"plugins": ["libpystream_testing.so"],
    "source": {"type": "lines", "params": {"path": "in.txt"}}, "stages": [
      {"type": "exec", "params": {"command": ["cat"]}}, {"type": "test.add", "params": {"n": 0}},
      {"name": "Row", "mode": "serial", "stages": [{"type": "test.add", "params": {"n": 0}}, {"type": "exec", "params": {"command": ["cat"]}}]}],
    "sink": {"type": "file_writer", "params": {"path": "out.txt"}}})");
  int worked = 0;
  int refused = 0;
  for (int limit = 6; limit <= 64; limit += limit < 32 ? 1 : 16) {
    const ProgramRun sut = run_program(
        {"sh", "-c", "ulimit -n " + std::to_string(limit) + "; exec " PYSTREAM_TEST_COORD " run plan.json"},
        {.environment = {"PYSTREAM_WORKER", "PYSTREAM_PROFILES=" + folder_ / "profiles"}, .directory = folder_.path()});
    if (sut.exit_code == 0) {
      ++worked;
      EXPECT_EQ(folder_.read("out.txt"), text) << limit;
      EXPECT_FALSE(contains(sut.err, "open files")) << limit << "\n" << sut.err;
      std::filesystem::remove(folder_ / "out.txt");
    } else {
      ++refused;
      EXPECT_TRUE(contains(sut.err, "descriptors in one process, and the system allows it " + std::to_string(limit)) ||
                  contains(sut.err, "open files") || contains(sut.err, "error while loading shared libraries") ||
                  contains(sut.err, "does not work"))
          << limit << "\n"
          << sut.err;
      EXPECT_FALSE(std::filesystem::exists(folder_ / "out.txt")) << limit;
    }
  }
  EXPECT_GT(worked, 1);
  EXPECT_GT(refused, 5);
}

/// A run whose standard error is a pipe, a socket or a terminal that nobody reads, and already full.
class Unread : public Streams {
 protected:
  /// The stage says more than any pipe holds.
  void start(int read_end, int write_end, const std::vector<std::string>& options = {}) {
    read_.reset(read_end);
    write_.reset(write_end);
    std::string chunk(4096, 'x');
    const int flags = ::fcntl(write_end, F_GETFL);
    ::fcntl(write_end, F_SETFL, flags | O_NONBLOCK);
    while (::write(write_end, chunk.data(), chunk.size()) > 0) {
    }
    ::fcntl(write_end, F_SETFL, flags);
    std::vector<std::string> words{PYSTREAM_TEST_COORD, "run", folder_.write("plan.json", plan())};
    words.insert(words.end(), options.begin(), options.end());
    pid_ = ::fork();
    if (pid_ == 0) {
      ::unsetenv("PYSTREAM_WORKER");
      ::setenv("PYSTREAM_PROFILES", (folder_ / "profiles").c_str(), 1);
      ::dup2(write_end, STDERR_FILENO);
      std::vector<char*> argv;
      for (std::string& word : words) {
        argv.push_back(word.data());
      }
      argv.push_back(nullptr);
      base::reset_all_signals();  // this test may run in the background, or under nohup
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
  }
  ~Unread() override {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  std::string plan() const {
    return R"({"plugins": [")" + odd_plugin("printing") + R"("],
      "source": {"type": "generate", "params": {"count": 0, "size": 8, "period": "100us"}},
      "stages": [{"name": "Loud", "type": "odd.print"}],
      "sink": {"type": "file_writer", "params": {"path": ")" +
           folder_ / "out" + R"("}}})";
  }
  /// So much that it has printed more than the pipes hold.
  bool has_flowed() const {
    std::error_code error;
    const auto size = std::filesystem::file_size(folder_ / "out", error);
    return !error && size > 8 * 2'000;
  }
  int wait() {
    int status = 0;
    const bool ended = wait_until([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
    pid_ = ended ? 0 : pid_;
    return !ended ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  base::UniqueFd read_;
  base::UniqueFd write_;
  pid_t pid_ = 0;
};

TEST_F(Unread, APipeThatNobodyReadsDoesNotStopARunFromDraining) {
  for (const int signal : {SIGTERM, SIGINT}) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    start(ends[0], ends[1]);
    ASSERT_TRUE(wait_until([&] { return has_flowed(); }));
    ::kill(pid_, signal);
    EXPECT_EQ(wait(), 0) << signal;
    std::filesystem::remove(folder_ / "out");
  }
}

TEST_F(Unread, ASocketAndATerminalDoNotEither) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  start(ends[0], ends[1]);
  ASSERT_TRUE(wait_until([&] { return has_flowed(); }));
  ::kill(pid_, SIGTERM);
  EXPECT_EQ(wait(), 0);
  std::filesystem::remove(folder_ / "out");
  int screen = -1;
  int program = -1;
  ASSERT_EQ(::openpty(&screen, &program, nullptr, nullptr, nullptr), 0);
  start(screen, program);
  ASSERT_TRUE(wait_until([&] { return has_flowed(); }));
  ::kill(pid_, SIGTERM);
  EXPECT_EQ(wait(), 0);
}

TEST_F(Unread, TheStopCommandIsHeard) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  start(ends[0], ends[1]);
  ASSERT_TRUE(wait_until([&] { return has_flowed(); }));
  EXPECT_EQ(coord({"stop", std::to_string(pid_)}).exit_code, 0);
  EXPECT_EQ(wait(), 0);
}

TEST_F(Unread, WhoeverReadsAgainIsToldHowMuchHeHasMissed) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  start(ends[0], ends[1]);
  ASSERT_TRUE(wait_until([&] {
    std::error_code error;
    const auto size = std::filesystem::file_size(folder_ / "out", error);
    return !error && size > 8 * 20'000;  // far more words than are kept for the reader
  }));
  ::kill(pid_, SIGTERM);
  write_.reset();
  std::string text;
  std::array<char, 4096> chunk{};
  for (ssize_t got = 0; (got = ::read(read_.get(), chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  EXPECT_EQ(wait(), 0);
  EXPECT_CONTAINS(text, "lines were not shown");
  EXPECT_GT(text.rfind("Loud"), text.rfind("lines were not shown")) << "the table comes all the same";
}

TEST_F(Unread, AReaderThatLeavesChangesNothing) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  start(ends[0], ends[1], {"--items", "20000"});
  write_.reset();
  read_.reset();
  EXPECT_EQ(wait(), 0);
  EXPECT_EQ(std::filesystem::file_size(folder_ / "out"), 8U * 20'000);
}

TEST_F(Streams, ProgramsOfTheUsersHaveTheLimitThatTheUserHas) {
  const std::string plan = R"({"source": {"type": "lines", "params": {"path": "-"}}, "stages": [
      {"type": "exec", "params": {"command": ["sh", "-c", "while read x; do ulimit -S -n; done"]}}],
    "sink": {"type": "stdout"}, "profiler": {"enabled": false}})";
  folder_.write("plan.json", plan);
  const ProgramRun sut =
      run_program({"sh", "-c", "ulimit -S -n 100; exec " PYSTREAM_TEST_COORD " run -q plan.json"},
                  {.input = "one\n", .environment = {"PYSTREAM_WORKER"}, .directory = folder_.path()});
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
  EXPECT_EQ(sut.out, "100\n");
}

}  // namespace
}  // namespace pystream::test
