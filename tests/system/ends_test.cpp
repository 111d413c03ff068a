#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include "support/pipeline_run.hpp"
#include "system/fault_plan.hpp"

/// What comes out, and what is said of the rest, when a source or a stage fails, when a run is drained, and when items
/// are given up.
namespace pystream::test {
namespace {

/// Text, and bytes as they are.
const std::string kLinesSink = R"("sink": {"type": "file_writer", "params": {"path": "out.txt", "newline": "always"}})";
const std::string kBytesSink = R"("sink": {"type": "file_writer", "params": {"path": "out.txt", "newline": "never"}})";

class Ends : public testing::Test {
 protected:
  std::string plan(const std::string& source, const std::string& stages, const std::string& more = "",
                   const std::string& sink = kLinesSink) const {
    return R"({"plugins": ["libpystream_testing.so"], "source": )" + source + R"(, "stages": [)" + stages + "], " +
           sink + more + "}";
  }
  ProgramRun run(const std::string& text, std::vector<std::string> options = {}) const {
    options.insert(options.begin(), {"run", folder_.write("plan.json", text)});
    return coord(options, options_);
  }
  /// An absolute path, since a PipelineRun begins in the folder of the test program.
  std::string sink_here(const std::string& newline = "always") const {
    return R"("sink": {"type": "file_writer", "params": {"path": ")" + folder_ / "out.txt" + R"(", "newline": ")" +
           newline + "\"}}";
  }
  std::string out() const { return folder_.read("out.txt"); }

  const TempFolder folder_;
  const RunOptions options_{.environment = {"PYSTREAM_PROFILES=" + folder_ / "profiles"}, .directory = folder_.path()};
};

std::string count_of(const std::string& text, char letter) {
  return std::to_string(std::count(text.begin(), text.end(), letter));
}

std::string pass(const std::string& name) {
  return R"({"name": ")" + name + R"(", "type": "test.add", "params": {"n": 0}})";
}
const std::string kSlow = R"({"name": "Slow", "type": "wait", "params": {"time": "3ms"}})";
const std::string kRowWithChild = R"({"name": "Row", "mode": "serial", "stages": [)" + pass("Front") +
                                  R"(, {"name": "Child", "mode": "parallel", "stages": [)" + pass("In") + ", " +
                                  pass("Behind") + "]}, " + pass("Last") + "]}";

std::string frames_of(int count, std::size_t size) {
  std::string all;
  for (int i = 0; i < count; ++i) {
    all += std::string(size, static_cast<char>('a' + i % 26));
  }
  return all;
}

struct Form {
  const char* name;
  std::string stages;
  std::string more;
};

class EndsInEveryForm : public Ends, public testing::WithParamInterface<Form> {};

/// A recording that ends in half a frame: what is whole comes out, whatever is still under way at that moment.
TEST_P(EndsInEveryForm, AllThatIsWholeComesOutBeforeASourceFails) {
  const std::string whole = frames_of(100, 64);
  folder_.write("in.raw", whole + std::string(30, 'x'));
  const ProgramRun result = run(plan(R"({"type": "frames", "params": {"path": "in.raw", "bytes": 64}})",
                                     GetParam().stages, GetParam().more, kBytesSink));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(out(), whole);
  EXPECT_CONTAINS(result.err, "failed on item 100: frames: in.raw ends with 30 bytes left over");
  EXPECT_CONTAINS(result.err, "100 items in, 100 out");
}

TEST_P(EndsInEveryForm, WhatASourceSkipsIsSaidAndTheRestComesOut) {
  std::string lines;
  std::string kept;
  for (int i = 0; i < 100; ++i) {
    const std::string line = "line " + std::to_string(i) + (i % 10 == 3 ? std::string(100, 'x') : "") + "\n";
    lines += line;
    kept += i % 10 == 3 ? "" : line;
  }
  folder_.write("in.txt", lines);
  const auto source = [](const std::string& policy) {
    return R"({"type": "lines", "params": {"path": "in.txt", "max_line": 50})" + policy + "}";
  };
  const ProgramRun skip = run(plan(source(R"(, "on_error": "skip")"), GetParam().stages, GetParam().more), {"-q"});
  EXPECT_EQ(skip.exit_code, 0) << skip.err;
  EXPECT_EQ(out(), kept);
  EXPECT_CONTAINS(skip.err, "100 items in, 90 out: 10 were skipped");

  const ProgramRun letters =
      run(plan(source(R"(, "on_error": "dead_letter", "max_attempts": 1)"), GetParam().stages, GetParam().more));
  EXPECT_EQ(letters.exit_code, 3) << letters.err;
  EXPECT_EQ(out(), kept);
  EXPECT_CONTAINS(letters.err, "10 became dead letters");
  EXPECT_CONTAINS(coord({"dead-letters", "show", "2"}, options_).out, "is longer than 50 bytes");

  const ProgramRun fail = run(plan(source(""), GetParam().stages, GetParam().more));
  EXPECT_EQ(fail.exit_code, 1);
  EXPECT_EQ(out(), kept.substr(0, kept.find("line 4")));
  EXPECT_CONTAINS(fail.err, "3 items in, 3 out");
}

INSTANTIATE_TEST_SUITE_P(Forms, EndsInEveryForm,
                         testing::Values(Form{"parallel", pass("A") + ", " + pass("B"), ""},
                                         Form{"slow", pass("A") + ", " + kSlow, ""},
                                         Form{"serial", pass("A") + ", " + pass("B"), R"(, "mode": "serial")"},
                                         Form{"row_with_child", kRowWithChild, ""},
                                         Form{"serial_with_child", kRowWithChild, R"(, "mode": "serial")"}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_F(Ends, AFileTooLargeForTheLinkIsSkippedAndTheNextIsRead) {
  std::filesystem::create_directory(folder_ / "in");
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    folder_.write(std::string("in/") + name, *name == 'c' ? std::string(5000, 'c') : std::string(name));
  }
  const ProgramRun result = run(plan(R"({"type": "files", "params": {"path": "in"}, "on_error": "skip"})", pass("A"),
                                     R"(, "links": {"capacity": {"bytes": 1000}})", kBytesSink));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_CONTAINS(result.err, "5 items in, 4 out: 1 was skipped");
  EXPECT_EQ(out(), "abde");
}

/// It throws at the same place for ever: that is not to be skipped for ever.
TEST_F(Ends, ASourceThatDoesNotGetBehindItsFaultFails) {
  const ProgramRun result =
      run(plan(R"({"type": "test.numbers", "params": {"count": 100, "throw_at": 40}, "on_error": "skip"})",
               R"({"name": "A", "type": "test.times"})", "", kBytesSink));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(out().size(), 40 * sizeof(std::uint64_t));
  EXPECT_CONTAINS(result.err, "at number 40");
}

/// In runs of many items, and one by one.
TEST_F(Ends, WhatACrashingSourceHasCommittedComesOut) {
  for (const char* stage : {R"({"name": "A", "type": "test.times"})", kSlow.c_str()}) {
    const ProgramRun result = run(plan(R"({"type": "test.numbers", "params": {"count": 100, "abort_at": 40}})", stage,
                                       R"(, "restarts": {"max_restarts": 2, "backoff_first": "1ms"})", kBytesSink));
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_EQ(out().size(), 40 * sizeof(std::uint64_t)) << result.err;
    EXPECT_CONTAINS(result.err, "40 items in, 40 out");
  }
}

TEST_F(Ends, WhatAStageHasDoneBeforeItFailsComesOut) {
  folder_.write("in.txt", numbered_lines(0, 100));
  const std::string bad = crash_stage("Bad", "throw", 50, R"(, "on_error": "fail")");
  const std::string source = R"({"type": "lines", "params": {"path": "in.txt"}})";
  for (const std::string& stages : {pass("A") + ", " + bad + ", " + pass("B"), bad + ", " + kSlow,
                                    R"({"name": "Row", "mode": "serial", "stages": [)" + pass("One") +
                                        R"(, {"name": "Child", "mode": "parallel", "stages": [)" + bad + ", " +
                                        pass("In") + "]}, " + pass("Two") + "]}, " + pass("B")}) {
    for (const char* mode : {"parallel", "serial"}) {
      const ProgramRun result = run(plan(source, stages, std::string(R"(, "mode": ")") + mode + "\""));
      EXPECT_EQ(result.exit_code, 1);
      EXPECT_EQ(out(), numbered_lines(0, 50)) << mode << ": " << stages << "\n" << result.err;
      EXPECT_CONTAINS(result.err, "50 out");
    }
  }
}

/// The row around the child waits for room in the child's link when that fails.
TEST_F(Ends, ARowWhoseChildFailsWhileItWaitsForRoomEnds) {
  folder_.write("in.txt", numbered_lines(0, 100));
  const std::string row = R"({"name": "Row", "mode": "serial", "stages": [
      {"name": "Many", "type": "test.repeat", "params": {"n": 3000}},
      {"name": "Child", "mode": "parallel", "stages": [)" +
                          crash_stage("Bad", "throw", 2, R"(, "on_error": "fail")") + "]}, " + pass("Behind") + "]}";
  const ProgramRun result = run(plan(R"({"type": "lines", "params": {"path": "in.txt"}})", row + ", " + pass("B"),
                                     R"(, "links": {"capacity": {"bytes": "16KiB"}})"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_CONTAINS(result.err, "Bad failed on item 2");
}

TEST_F(Ends, WhatStandsBehindAStageThatDiesForGoodComesOut) {
  folder_.write("in.txt", numbered_lines(0, 100));
  const ProgramRun result =
      run(plan(R"({"type": "lines", "params": {"path": "in.txt"}})",
               crash_stage("Bad", "segv", 50, R"(, "on_crash": "fail", "timeout": "60s")") + ", " + kSlow));
  EXPECT_EQ(result.exit_code, 1);
  const std::string expected = numbered_lines(0, 50);
  EXPECT_EQ(out(), expected.substr(0, out().size()));
  EXPECT_CONTAINS(result.err, " items in, " + count_of(out(), '\n') + " out");
}

// ---- draining ----

/// A FIFO that this test writes and that stays open.
class Fifo {
 public:
  explicit Fifo(std::string path) : path_(std::move(path)) {
    if (::mkfifo(path_.c_str(), 0600) != 0) {
      throw std::system_error(errno, std::generic_category(), "mkfifo");
    }
    fd_.reset(::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    ::fcntl(fd_.get(), F_SETPIPE_SZ, 1 << 20);
  }
  void put(const std::string& text) const {
    ASSERT_EQ(::write(fd_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  /// What nobody has read.
  std::string rest() const {
    std::string all(1 << 20, '\0');
    const ssize_t got = ::read(fd_.get(), all.data(), all.size());
    all.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return all;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  base::UniqueFd fd_;
};

class Drain : public Ends {
 protected:
  /// Runs until something has come out, then drains.
  int drain(PipelineRun& run) const {
    EXPECT_TRUE(wait_until([&] { return !out().empty(); })) << run.errors();
    run.signal(SIGTERM);
    return run.wait();
  }
  std::string from(const std::string& source, const std::string& newline = "always") const {
    return plan(source, kSlow, R"(, "links": {"capacity": {"items": 4}})", sink_here(newline));
  }
  std::string lines_of(const std::string& path, const std::string& more = "") const {
    return R"({"type": "lines", "params": {"path": ")" + path + "\"" + more + "}}";
  }
  const Fifo fifo_{folder_ / "fifo"};
};

TEST_F(Drain, LinesReadAheadFromAFifoComeOutAndTheRestStaysInIt) {
  const std::string lines = numbered_lines(0, 20'000);
  fifo_.put(lines);
  for (const char* mode : {"parallel", "serial"}) {
    fifo_.rest();
    fifo_.put(lines);
    std::filesystem::remove(folder_ / "out.txt");
    PipelineRun sut(plan(lines_of(fifo_.path()), R"({"name": "Slow", "type": "wait", "params": {"time": "200us"}})",
                         std::string(R"(, "links": {"capacity": {"items": 4}}, "mode": ")") + mode + "\"", sink_here()),
                    folder_);
    EXPECT_EQ(drain(sut), 0) << sut.errors();
    EXPECT_GT(out().size(), 60'000U) << "it reads 64 KiB at once";
    EXPECT_EQ(out() + fifo_.rest(), lines);
  }
}

/// A signal ends a poll() or a sleep of a user's stage with EINTR.
TEST_F(Drain, InterruptsNoSink) {
  const std::string text =
      plan(R"({"type": "generate", "params": {"size": 8}})", pass("Pass"),
           R"(, "links": {"capacity": {"items": 40, "time": "0s"}}, "profiler": {"enabled": false})",
           R"("sink": {"type": "test.slow_sink", "params": {"time": "20ms", "fails_if_interrupted": true}})");
  bool long_enough = false;
  for (const char* duration : {"1s", "10s", "40s"}) {  // the start is part of it, and may be slow
    const ProgramRun sut = run(text, {"--duration", duration});
    ASSERT_EQ(sut.exit_code, 0) << sut.err;
    long_enough = contains(sut.err, "draining: ");
    if (long_enough) {
      break;
    }
  }
  EXPECT_TRUE(long_enough);
}

/// What was read from a pipe cannot be put back into it.
TEST_F(Ends, LinesThatWereReadAheadOfTheLimitOfItemsAreSaidToBeLost) {
  std::string lines;
  for (int i = 0; i < 1000; ++i) {
    lines += std::to_string(1000 + i) + "\n";
  }
  folder_.write("in.txt", lines);
  for (const std::string mode : {"parallel", "serial"}) {
    folder_.write("plan.json", plan(R"({"type": "lines", "params": {"path": "-"}})", pass("Pass"),
                                    R"(, "mode": ")" + mode + "\"" + kNoProfile));
    const std::string run = PYSTREAM_TEST_COORD " run -q plan.json";
    const ProgramRun piped = run_program({"sh", "-c", "cat in.txt | " + run + " --items 5"}, options_);
    EXPECT_EQ(piped.exit_code, 3) << piped.err;
    EXPECT_EQ(out(), "1000\n1001\n1002\n1003\n1004\n");
    EXPECT_CONTAINS(piped.err, "lost: lines: the run ended before its source (--items");
    EXPECT_CONTAINS(piped.err, "5 items in, 5 out: 1 loss");
    const ProgramRun all = run_program({"sh", "-c", "cat in.txt | " + run + " --items 1000"}, options_);
    EXPECT_EQ(all.exit_code, 0) << all.err;
    const ProgramRun file = run_program({"sh", "-c", run + " --items 5 < in.txt"}, options_);
    EXPECT_EQ(file.exit_code, 0) << file.err;
  }
  folder_.write("plan.json", plan(R"({"type": "files", "params": {"path": "-"}})", pass("Pass")));
  const ProgramRun listed = run_program(
      {"sh", "-c", "printf 'in.txt\\nin.txt\\n' | " PYSTREAM_TEST_COORD " run -q plan.json --items 1"}, options_);
  EXPECT_EQ(listed.exit_code, 3) << listed.err;
  EXPECT_CONTAINS(listed.err, "lost: files: the run ended before its source (--items");
}

/// One byte after another comes in time, but the rest of the item does not come at once.
TEST_F(Drain, AWriterThatTricklesDoesNotHoldItUp) {
  struct Case {
    std::string source;
    std::string begin;
  };
  for (const Case& one : {Case{lines_of(fifo_.path()), "one\ntw"},
                          Case{R"({"type": "frames", "params": {"path": ")" + fifo_.path() + R"(", "bytes": 100000}})",
                               std::string(100'000, 'a') + "b"}}) {
    fifo_.rest();
    fifo_.put(one.begin);
    std::filesystem::remove(folder_ / "out.txt");
    PipelineRun sut(from(one.source), folder_, {"-q"});
    EXPECT_TRUE(wait_until([&] { return !out().empty(); })) << sut.errors();
    std::atomic<bool> over = false;
    int written = 0;
    std::jthread trickle([&] {
      while (!over && written < 6000) {
        fifo_.put("x");
        ++written;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
    sut.signal(SIGTERM);
    EXPECT_EQ(sut.wait(), 3) << sut.errors();
    over = true;
    trickle.join();
    EXPECT_LT(written, 6000) << "it waited for the writer";
    EXPECT_CONTAINS(sut.errors(), "bytes were read and are no item");
  }
}

TEST_F(Drain, APartOfALineIsSaidToBeLost) {
  fifo_.put("one\ntwo\nthr");
  PipelineRun sut(from(lines_of(fifo_.path())), folder_, {"-q"});
  EXPECT_TRUE(wait_until([&] { return out() == "one\ntwo\n"; })) << sut.errors();
  sut.signal(SIGTERM);
  EXPECT_EQ(sut.wait(), 3) << sut.errors();
  EXPECT_EQ(out(), "one\ntwo\n");
  EXPECT_CONTAINS(sut.errors(), "its first 3 bytes were read and are no item");
  EXPECT_CONTAINS(sut.errors(), "2 items in, 2 out: 1 loss");
}

TEST_F(Drain, APartOfAFrameIsSaidToBeLost) {
  fifo_.put("aaaabbbbcc");
  PipelineRun sut(from(R"({"type": "frames", "params": {"path": ")" + fifo_.path() + R"(", "bytes": 4}})", "never"),
                  folder_);
  EXPECT_TRUE(wait_until([&] { return out() == "aaaabbbb"; })) << sut.errors();
  sut.signal(SIGTERM);
  EXPECT_EQ(sut.wait(), 3) << sut.errors();
  EXPECT_CONTAINS(sut.errors(), "its first 2 of 4 bytes were read and are no item");
}

TEST_F(Drain, WhatSharesARegularFileGoesOnBehindTheLastItem) {
  const std::string lines = numbered_lines(0, 3000);
  folder_.write("in.txt", lines);
  folder_.write("plan.json", plan(lines_of("-"), kSlow, ""));
  for (const char* how : {"--items 7", "--duration 1s"}) {
    const ProgramRun result = run_program(
        {"sh", "-c", std::string("(" PYSTREAM_TEST_COORD " run -q plan.json ") + how + "; cat > rest.txt) < in.txt"},
        {.environment = {"PYSTREAM_PROFILES=" + folder_ / "profiles", "PYSTREAM_WORKER", "PYSTREAM_PLUGIN_PATH"},
         .directory = folder_.path()});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_FALSE(out().empty());
    EXPECT_EQ(out() + folder_.read("rest.txt"), lines) << how;
  }
}

/// What a killed source had taken from a pipe and not committed is gone; the run says so and does not end with 0.
TEST_F(Drain, BytesThatAreLostWithAKilledSourceAreSaid) {
  fifo_.put(numbered_lines(0, 2000));
  PipelineRun sut(from(lines_of(fifo_.path())), folder_, {"-q"});
  ASSERT_TRUE(wait_until([&] { return !out().empty(); })) << sut.errors();
  ::kill(sut.workers().at(0), SIGKILL);
  EXPECT_TRUE(wait_until([&] { return contains(sut.errors(), "lost: lines: restarted on"); })) << sut.errors();
  sut.signal(SIGTERM);
  EXPECT_EQ(sut.wait(), 3) << sut.errors();
  EXPECT_EQ(out(), numbered_lines(0, 2000).substr(0, out().size()));
}

TEST_F(Drain, ASourceThatIsKilledWhileNothingIsThereLosesNothing) {
  fifo_.put(numbered_lines(0, 20));
  PipelineRun sut(from(lines_of(fifo_.path())), folder_);
  ASSERT_TRUE(wait_until([&] { return out() == numbered_lines(0, 20); })) << sut.errors();
  ::kill(sut.workers().at(0), SIGKILL);
  ASSERT_TRUE(wait_until([&] { return contains(sut.errors(), "it is restarted"); })) << sut.errors();
  fifo_.put("line 20\n");
  ASSERT_TRUE(wait_until([&] { return out() == numbered_lines(0, 21); })) << sut.errors();
  sut.signal(SIGTERM);
  EXPECT_EQ(sut.wait(), 0) << sut.errors();
}

// ---- what was given up ----

TEST_F(Ends, DeadLettersAreOnTheLastLineAndInTheExitCode) {
  folder_.write("in.txt", numbered_lines(0, 10));
  const std::string text = plan(R"({"type": "lines", "params": {"path": "in.txt"}})",
                                R"({"name": "Bad", "type": "test.crash", "params": {"how": "throw", "sequence": 0,
                                    "every": 1, "attempts": 99}})");
  const ProgramRun all = run(text, {"-q"});
  EXPECT_EQ(all.exit_code, 3);
  EXPECT_CONTAINS(all.err,
                  "10 items in, 0 out: 10 became dead letters; to see the dead letters: pystream-coord dead-letters "
                  "list --run 1");
  EXPECT_CONTAINS(coord({"dead-letters", "list", "--run", "1"}, options_).out, "Bad");
  EXPECT_EQ(run(text, {"-q", "--accept-dead-letters"}).exit_code, 0);
  const ProgramRun unprofiled = run(text.substr(0, text.size() - 1) + kNoProfile + "}", {"-q"});
  EXPECT_EQ(unprofiled.exit_code, 3);
  EXPECT_CONTAINS(unprofiled.err, "dead-letters list --run last");
}

/// The last segment of a serial pipeline has a stage in front of its sink.
TEST_F(Ends, WhatAStageBesideTheSinkSkipsHasNotComeOut) {
  folder_.write("in.txt", numbered_lines(0, 10));
  const ProgramRun sut = run(plan(R"({"type": "lines", "params": {"path": "in.txt"}})",
                                  R"({"name": "Child", "mode": "parallel", "stages": [)" + pass("In") + "]}, " +
                                      crash_stage("Bad", "throw", 3, R"(, "on_error": "skip")"),
                                  R"(, "mode": "serial")" + kNoProfile),
                             {"-q"});
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
  EXPECT_EQ(out(), numbered_lines(0, 10, 3));
  EXPECT_CONTAINS(sut.err, "10 items in, 9 out: 1 was skipped");
}

TEST_F(Ends, DropsThatThePlanAsksForAreSaidAndNoFailure) {
  const ProgramRun result = run(plan(R"({"type": "generate", "params": {"count": 2000, "size": 8}})", kSlow,
                                     R"(, "links": {"capacity": {"items": 2}, "overflow": "drop_newest"})", kBytesSink),
                                {"-q"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_CONTAINS(result.err, "2000 items in, " + std::to_string(out().size() / 8) + " out: ");
  EXPECT_CONTAINS(result.err, "dropped by full links");
}

TEST_F(Ends, AStopSaysHowManyCameOut) {
  folder_.write("in.txt", numbered_lines(0, 3000));
  PipelineRun sut(
      plan(R"({"type": "lines", "params": {"path": ")" + folder_ / "in.txt" + "\"}}", kSlow, "", sink_here()), folder_,
      {"-q"});
  ASSERT_TRUE(wait_until([&] { return !out().empty(); })) << sut.errors();
  ASSERT_EQ(coord({"stop", "--now", std::to_string(sut.pid())}, options_).exit_code, 0);
  EXPECT_EQ(sut.wait(), 130);
  EXPECT_CONTAINS(sut.errors(), count_of(out(), '\n') + " out: the rest did not get through");
}

}  // namespace
}  // namespace pystream::test
