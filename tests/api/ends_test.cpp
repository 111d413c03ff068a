#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <numeric>
#include <sstream>

#include "api/api_support.hpp"
#include "support/temp_folder.hpp"

/// Sources and sinks that run as workers of a Pipeline.
namespace pystream::test {
namespace {

constexpr int kItems = 5'000;

int doubled(int n) {
  return 2 * n;
}

/// What a sink in a worker has seen.
struct Seen {
  std::atomic<int> count{0};
  std::array<int, 2 * kItems> values{};
};

std::vector<int> values(const Shared<Seen>& seen) {
  return {seen->values.begin(), seen->values.begin() + std::min<int>(seen->count, 2 * kItems)};
}

std::vector<int> doubles(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  std::transform(all.begin(), all.end(), all.begin(), doubled);
  return all;
}

/// Counts from 0; its count is its cursor, as a callable keeps it by value.
auto numbers(int count) {
  return [n = 0, count]() mutable -> std::optional<int> { return n < count ? std::optional(n++) : std::nullopt; };
}

/// Never ends by itself.
std::optional<int> forever() {
  ::usleep(100);
  return 1;
}

/// Writes each value in its place, so that doing it again changes nothing.
class Keeping : public Sink<int, int> {
 public:
  explicit Keeping(Shared<Seen> seen) : seen_(std::move(seen)) {}
  void operator()(int n) override {
    seen_->values.at(static_cast<std::size_t>(cursor()++)) = n;
    seen_->count = cursor();
  }

 private:
  Shared<Seen> seen_;
};

/// Collects what is logged while it lives.
class Log {
 public:
  Log() {
    set_logger([this](LogLevel level, std::string_view text) {
      if (level != LogLevel::info) {
        text_ += std::string(text) + "\n";
      }
    });
  }
  ~Log() { set_logger({}); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

TEST(EndsTest, RunGoesFromTheSourceToTheSink) {
  Shared<Seen> seen;
  Pipeline sut;
  sut.source(numbers(kItems), "Numbers").add(doubled, "Double").sink(Keeping(seen), "Keep");
  const RunTotals totals = sut.run();
  EXPECT_EQ(values(seen), doubles(kItems));
  EXPECT_EQ(totals.in, static_cast<std::uint64_t>(kItems));
  EXPECT_EQ(totals.out, static_cast<std::uint64_t>(kItems));
  EXPECT_TRUE(totals.complete());
}

TEST(EndsTest, RunCanBeCalledAgain) {
  for (int i = 0; i < 2; ++i) {
    Shared<Seen> seen;
    Pipeline sut;
    sut.source(numbers(10)).add(doubled).sink(Keeping(seen));
    EXPECT_TRUE(sut.run().complete());
    EXPECT_EQ(values(seen), doubles(10));
  }
}

TEST(EndsTest, ASerialPipelineRunsInOneWorker) {
  Shared<Seen> seen;
  Pipeline sut;
  sut.source(numbers(kItems)).add(doubled, "Double").sink(Keeping(seen)).serialize();
  EXPECT_TRUE(sut.wait(kDeadline));
  EXPECT_EQ(values(seen), doubles(kItems));
}

TEST(EndsTest, TakesZeroCopyCallables) {
  Shared<Seen> seen;
  Pipeline sut;
  sut.source([n = 0](Output& out) mutable {
    out.emit(n);
    return ++n < 100;
  });
  sut.add(doubled);
  sut.sink([seen](const Item& in) { seen->values.at(in.sequence()) = in.get<int>(), ++seen->count; });
  EXPECT_TRUE(sut.run().complete());
  EXPECT_EQ(values(seen), doubles(100));
}

TEST(EndsTest, TakesObjectsByUniquePointer) {
  class Ten : public RawSource<int> {
   public:
    bool produce(Output& out) override {
      out.emit(cursor());
      return ++cursor() < 10;
    }
  };
  Shared<Seen> seen;
  Pipeline sut;
  sut.source(std::make_unique<Ten>()).add(doubled).sink(std::make_unique<Keeping>(seen));
  EXPECT_TRUE(sut.run().complete());
  EXPECT_EQ(values(seen), doubles(10));
}

TEST(EndsTest, RegisteredEndsAreTakenToo) {
  const TempFolder folder;
  const std::string in = folder.write("in.txt", "one\ntwo\nthree\n");
  Pipeline sut;
  sut.source(RegisteredStage{"lines", Params(ParamMap{{"path", in}})}, "Lines");
  sut.add([](const std::string& line) { return line + "!"; }, "Shout");
  sut.sink(RegisteredStage{"file_writer", Params(ParamMap{{"path", folder / "out.txt"}})}, "Store");
  EXPECT_TRUE(sut.run().complete());
  EXPECT_EQ(folder.read("out.txt"), "one!\ntwo!\nthree!\n");
}

TEST(EndsTest, ASinkWritesBytesAsTheyAre) {
  const TempFolder folder;
  Pipeline sut;
  sut.source(numbers(2));
  sut.add([](int n) { return std::vector<char>{static_cast<char>('a' + n), '.'}; });
  sut.sink(RegisteredStage{"file_writer", Params(ParamMap{{"path", folder / "out.bin"}})});
  EXPECT_TRUE(sut.run().complete());
  EXPECT_EQ(folder.read("out.bin"), "a.b.");
}

TEST(EndsTest, RegisteredEndsRunInSpawnedWorkers) {
  const TempFolder folder;
  const std::string in = folder.write("in.txt", "one\ntwo\n");
  Pipeline sut;
  sut.source(RegisteredStage{"lines", Params(ParamMap{{"path", in}})});
  sut.add(RegisteredStage{"exec", Params(ParamMap{{"command", ParamList{"tr", "a-z", "A-Z"}}})}, "Upper");
  sut.sink(RegisteredStage{"file_writer", Params(ParamMap{{"path", folder / "out.txt"}})});
  EXPECT_TRUE(sut.run({.start_method = StartMethod::spawn}).complete());
  EXPECT_EQ(folder.read("out.txt"), "ONE\nTWO\n");
}

TEST(EndsTest, ASourceMayReadTheProgramsInput) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  ASSERT_EQ(::write(pipe[1], "x\ny\n", 4), 4);
  ::close(pipe[1]);
  const int kept = ::dup(STDIN_FILENO);
  ASSERT_EQ(::dup2(pipe[0], STDIN_FILENO), STDIN_FILENO);
  ::close(pipe[0]);
  const TempFolder folder;
  Pipeline sut;
  sut.source(RegisteredStage{"lines", Params(ParamMap{{"path", "-"}})});
  sut.add([](const std::string& line) {
    char byte = 0;
    return line + (::read(STDIN_FILENO, &byte, 1) == 0 ? ", not here" : ", here");
  });
  sut.sink(RegisteredStage{"file_writer", Params(ParamMap{{"path", folder / "out.txt"}})});
  EXPECT_TRUE(sut.run().complete());
  ::dup2(kept, STDIN_FILENO);
  ::close(kept);
  EXPECT_EQ(folder.read("out.txt"), "x, not here\ny, not here\n");
}

TEST(EndsTest, WithASourceAloneTheProgramReadsTheResults) {
  Pipeline sut;
  sut.source(numbers(kItems)).add(doubled).parallelize(kAllResults);
  EXPECT_EQ(read_all<int>(sut, kItems), doubles(kItems));
  EXPECT_TRUE(sut.wait(kDeadline));
  const std::string told = message_of<Error>([&] { static_cast<void>(sut.forward(1)); });
  EXPECT_TRUE(contains(told, "forward() is for a pipeline without a source"));
  EXPECT_TRUE(contains(told, "MainPipeline__Source"));
}

TEST(EndsTest, ResultsAreThereAfterTheEnd) {
  Pipeline sut;
  sut.source(numbers(100)).add(doubled).parallelize(kAllResults);
  ASSERT_TRUE(sut.wait(kDeadline));
  EXPECT_EQ(read_all<int>(sut, 100), doubles(100));
}

TEST(EndsTest, WithASinkAloneTheProgramFeedsThePipeline) {
  Shared<Seen> seen;
  Pipeline sut;
  sut.add(doubled).sink(Keeping(seen), "Keep").parallelize();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(sut.forward(i));
  }
  ASSERT_TRUE(sut.drain(kDeadline));
  EXPECT_EQ(values(seen), doubles(100));
  const std::string told = message_of<Error>([&] { static_cast<void>(sut.get_results<int>()); });
  EXPECT_TRUE(contains(told, "without a sink"));
  EXPECT_TRUE(contains(told, "MainPipeline__Keep"));
  EXPECT_TRUE(contains(message_of<Error>([&] { static_cast<void>(sut.wait(1s)); }), "drain()"));
}

TEST(EndsTest, WaitGivesUpInTime) {
  Pipeline sut;
  sut.source(forever).add(doubled).sink([](int) {}).parallelize();
  EXPECT_FALSE(sut.wait(10ms));
}

TEST(EndsTest, DrainEndsTheSourceAndLosesNothing) {
  Shared<Seen> seen;
  SharedCount made;
  Pipeline sut;
  sut.source([made]() -> std::optional<int> {
    ::usleep(10);
    return (*made)++;
  });
  sut.add(doubled).sink(Keeping(seen)).parallelize();
  ASSERT_TRUE(wait_until([&] { return seen->count > 10; }));
  ASSERT_TRUE(sut.drain(kDeadline));
  EXPECT_EQ(values(seen), doubles(*made));
}

TEST(EndsTest, KilledEndsContinueWhereTheyWere) {
  Shared<Seen> seen;
  Pipeline sut;
  sut.source([n = 0]() mutable -> std::optional<int> {
    ::usleep(50);
    return n < kItems ? std::optional(n++) : std::nullopt;
  });
  sut.add(doubled).sink(Keeping(seen));
  sut.parallelize({.restarts = {.max_restarts = 1'000'000, .backoff_first = 0s, .backoff_limit = 0s}});
  int kills = 0;
  for (int done = 0; !sut.wait(0s); done = seen->count) {
    ASSERT_TRUE(wait_until([&] { return seen->count > done + 200 || sut.wait(0s); }));
    for (const StageStatus& stage : sut.status().stages) {
      kills += stage.pid > 0 && ::kill(stage.pid, SIGKILL) == 0 ? 1 : 0;
    }
  }
  EXPECT_GT(kills, 10);
  EXPECT_EQ(values(seen), doubles(kItems));
}

TEST(EndsTest, AnExceptionOfTheSourceEndsTheRunBehindItsItems) {
  Shared<Seen> seen;
  Pipeline sut;
  sut.source([n = 0]() mutable -> std::optional<int> {
    if (n == 100) {
      throw std::runtime_error("the antenna is gone");
    }
    return n++;
  });
  sut.add(doubled).sink(Keeping(seen));
  EXPECT_TRUE(contains(message_of<PipelineTerminated>([&] { sut.run(); }), "the antenna is gone"));
  EXPECT_EQ(values(seen), doubles(100));
}

TEST(EndsTest, ItemsThatAStageGivesUpAreCounted) {
  const Log log;
  Shared<Seen> seen;
  Pipeline sut;
  sut.source(numbers(10));
  sut.add([](int n) {
    if (n == 3) {
      throw std::runtime_error("three");
    }
    return 2 * n;
  });
  sut.sink(Keeping(seen));
  const RunTotals totals = sut.run();
  EXPECT_EQ(totals.given_up, 1U);
  EXPECT_EQ(totals.letters, 1U);
  EXPECT_FALSE(totals.complete());
  EXPECT_EQ(totals.out, 9U);
  ASSERT_EQ(sut.dead_letters().size(), 1U);
  EXPECT_EQ(sut.dead_letters().front().item<int>(), 3);
  EXPECT_TRUE(contains(log.text(), "three"));
}

TEST(EndsTest, LossesThatASinkReportsAreCounted) {
  const Log log;
  Pipeline sut;
  sut.source(numbers(3)).add(doubled).sink([](int) { report_loss("a test loses an item"); });
  const RunTotals totals = sut.run();
  EXPECT_EQ(totals.losses, 3U);
  EXPECT_FALSE(totals.complete());
}

TEST(EndsTest, StatusAndProfilesAreThereAfterTheEnd) {
  Pipeline sut({.use_profiler = true});
  sut.source(numbers(100), "Numbers").add(doubled, "Double").sink([](int) {}, "Drop");
  sut.parallelize();
  ASSERT_TRUE(sut.wait(kDeadline));
  const PipelineStatus status = sut.status();
  ASSERT_EQ(status.stages.size(), 3U);
  EXPECT_EQ(status.stages.front().key, "MainPipeline__Numbers");
  EXPECT_EQ(status.stages.back().items, 100U);
  EXPECT_EQ(status.stages.back().pid, 0);
  EXPECT_EQ(sut.get_profiles().latency.count("MainPipeline__Double"), 1U);
  sut.cleanup();
  EXPECT_EQ(sut.get_profiles().latency.count("MainPipeline__Numbers"), 1U);
}

TEST(EndsTest, ThePipelineDrainsIfItsProgramIsKilled) {
  const TempFolder folder;
  const std::string out = folder / "out.txt";
  const pid_t program = ::fork();
  ASSERT_GE(program, 0);
  if (program == 0) {
    Pipeline sut;
    sut.source([n = 0]() mutable -> std::optional<int> {
      ::usleep(100);
      return n++;
    });
    sut.add([](int n) { return std::to_string(n); });
    sut.sink(RegisteredStage{"file_writer", Params(ParamMap{{"path", out}})});
    sut.run();
    ::_exit(0);
  }
  EXPECT_TRUE(wait_until([&] { return !read_file(out).empty(); }));
  ASSERT_EQ(::kill(program, SIGKILL), 0);
  ASSERT_EQ(::waitpid(program, nullptr, 0), program);
  const int file = ::open(out.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  // The lock on the output is free once the last process of the pipeline is gone.
  ASSERT_TRUE(wait_until([&] { return ::flock(file, LOCK_EX | LOCK_NB) == 0; }));
  ::close(file);
  std::istringstream lines(read_file(out));
  int expected = 0;
  for (int n = 0; lines >> n; ++expected) {
    ASSERT_EQ(n, expected);
  }
  EXPECT_GT(expected, 0);
}

TEST(EndsTest, ATerminatedCoordinatorDrains) {
  const Log log;
  Shared<Seen> seen;
  Pipeline sut;
  sut.source(forever).add(doubled).sink([seen](int) { ++seen->count; }).parallelize();
  ASSERT_TRUE(wait_until([&] { return seen->count > 0; }));
  ASSERT_EQ(::kill(sut.status().coordinator, SIGTERM), 0);
  EXPECT_TRUE(sut.wait(kDeadline));
  sut.cleanup();
  EXPECT_TRUE(contains(log.text(), "SIGTERM"));
}

TEST(EndsTest, AFailureOfAStageComesOutOfWait) {
  Pipeline sut;
  sut.source(forever)
      .add([](int n) { return n; }, "Bad", {.on_error = OnError::fail})
      .sink([](int) { throw std::runtime_error("no room on the shelf"); }, "Shelf", {.on_error = OnError::fail});
  EXPECT_TRUE(contains(message_of<PipelineTerminated>([&] { sut.run(); }), "no room on the shelf"));
}

TEST(EndsTest, RefusesAnOutputThatIsAnInput) {
  const TempFolder folder;
  const std::string file = folder.write("in.txt", "one\n");
  Pipeline sut;
  sut.source(RegisteredStage{"lines", Params(ParamMap{{"path", file}})});
  sut.add([](std::string line) { return line; });
  sut.sink(RegisteredStage{"file_writer", Params(ParamMap{{"path", file}})});
  message_of<PipelineInitiationError>([&] { sut.run(); });
  EXPECT_EQ(read_file(file), "one\n");
}

TEST(EndsTest, RefusesAnOutputThatAnotherPipelineWrites) {
  const TempFolder folder;
  const auto make = [&](Pipeline& pipeline) {
    pipeline.source(forever).add([](int n) { return std::to_string(n); });
    pipeline.sink(RegisteredStage{"file_writer", Params(ParamMap{{"path", folder / "out.txt"}})});
  };
  Pipeline first;
  make(first);
  first.parallelize();
  Pipeline sut;
  make(sut);
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { sut.parallelize(); }), std::to_string(::getpid())));
  first.cleanup();
  sut.parallelize();
}

TEST(EndsTest, SaysWhatIsMissingOrTooMuch) {
  const auto sink = [](int) {};
  Pipeline no_sink;
  no_sink.source(forever).add(doubled);
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { no_sink.run(); }), "no sink"));
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { no_sink.serialize(); }), "neither"));
  EXPECT_TRUE(contains(message_of<Error>([&] { no_sink.source(forever, "Other"); }), "\"Source\""));
  message_of<InvalidStageName>([&] { no_sink.add(doubled, "Source"); });
  message_of<InvalidStageName>([&] { no_sink.sink(sink, "a b"); });

  Pipeline no_source;
  no_source.add(doubled).sink(sink);
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { no_source.run(); }), "no source"));
  no_sink.parallelize();
  EXPECT_TRUE(contains(message_of<PipelineUndefined>([&] { static_cast<void>(no_sink.as_stage()); }),
                       "a pipeline with a source cannot become a stage"));
  no_sink.cleanup();

  Pipeline both({.input_generator = [] { return 1; }});
  both.source(forever).add(doubled).sink(sink);
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { both.run(); }), "input_generator"));

  Pipeline wrong_kind;
  wrong_kind.source(RegisteredStage{"file_writer"}).add(doubled).sink(sink);
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { wrong_kind.run(); }), "source"));

  Pipeline wrong_type;
  wrong_type.source(forever, "Numbers").add([](std::string text) { return text; }, "Text").sink([](std::string) {});
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { wrong_type.run(); }), "MainPipeline__Numbers"));
}

}  // namespace
}  // namespace pystream::test
