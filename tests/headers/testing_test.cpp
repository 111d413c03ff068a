#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <iterator>
#include <optional>
#include <pystream/testing.hpp>
#include <string>
#include <vector>

#include "support/temp_folder.hpp"

/// The public header for tests of stages, with stages as users write them.
namespace pystream::test {
namespace {

struct Scale : Stage<int, std::optional<int>> {
  static StageInfo describe() {
    return {.params = {{.name = "factor", .type = ParamType::integer, .fallback = 2},
                       {.name = "limit", .type = ParamType::integer}}};
  }
  explicit Scale(const Params& params) : factor(params.integer("factor")), limit(params.integer("limit")) {}
  std::optional<int> operator()(int number) override {
    if (number < 0) {
      throw std::out_of_range("negative");
    }
    const auto scaled = static_cast<int>(number * factor);
    return scaled > limit ? std::nullopt : std::optional(scaled);
  }
  std::int64_t factor;
  std::int64_t limit;
};

struct Total : Stage<int>, Checkpoint<int> {
  int operator()(int number) override { return state() += number; }
  void cleanup() override { ++cleanups; }
  static inline int cleanups = 0;
};

/// Gives each letter of an item, and notes how it came.
struct Letters : RawStage {
  void operator()(const Item& in, Output& out) override {
    seen.push_back({in.sequence(), in.attempt()});
    for (const char letter : in.get<std::string>()) {
      if (letter == '!') {
        throw std::invalid_argument("no letter");
      }
      out.emit(std::string(1, letter));
    }
  }
  static inline std::vector<std::pair<std::uint64_t, std::uint32_t>> seen;
};

struct Numbers : Source<int, int> {
  static StageInfo describe() { return {.params = {{.name = "count", .type = ParamType::integer}}}; }
  explicit Numbers(const Params& params) : count(params.integer("count")) {}
  void start() override { started = true; }
  void resume() override { resumed = true; }
  std::optional<int> next() override { return cursor() < count ? std::optional(cursor()++) : std::nullopt; }
  std::int64_t count;
  bool started = false;
  bool resumed = false;
};

struct Written {
  std::uint64_t bytes = 0;
};

struct Report : Sink<std::string, Written> {
  explicit Report(std::string path) : path_(std::move(path)) {}
  void start() override { cut(0); }
  void resume() override { cut(cursor().bytes); }
  void operator()(std::string line) override {
    std::ofstream(path_, std::ios::app) << line << '\n';
    cursor().bytes += line.size() + 1;
  }
  void cleanup() override { cleaned = true; }
  bool cleaned = false;

 private:
  void cut(std::uint64_t bytes) {
    std::string text(std::istreambuf_iterator<char>(std::ifstream(path_).rdbuf()), {});
    std::ofstream(path_) << text.substr(0, bytes);
  }
  std::string path_;
};

/// Answers with a delay of one item, as a program behind pipes may.
struct Late : AsyncStage {
  void submit(const Item& in) override { text = in.get<std::string>(); }
  bool collect(Output& out, std::chrono::nanoseconds) override {
    out.emit(text + "?");
    return true;
  }
  std::size_t capacity() const override { return 2; }
  std::string text;
};

TEST(TestStageTest, GivesTypedOutputsAndFilters) {
  TestStage<Scale> stage({{"limit", 10}});
  for (const int number : {1, 7, 5}) {
    stage.feed(number);
  }
  EXPECT_EQ(stage.outputs(), (std::vector{2, 10}));
  EXPECT_EQ(stage.object().factor, 2) << "the default";
}

TEST(TestStageTest, ChecksParametersAsAPlanIsChecked) {
  EXPECT_THROW(TestStage<Scale>({{"limit", 1}, {"fctor", 3}}), InvalidParam);
  EXPECT_THROW(TestStage<Scale>(), InvalidParam) << "limit has no default";
}

/// A list of two texts could be taken for the two arguments of a constructor.
TEST(TestStageTest, TakesASingleTextAsParameter) {
  struct Suffix : Stage<std::string> {
    static StageInfo describe() { return {.params = {{.name = "with"}}}; }
    explicit Suffix(const Params& params) : with(params.string("with")) {}
    std::string operator()(std::string text) override { return text + with; }
    std::string with;
  };
  TestStage<Suffix> stage({{"with", "!"}});
  stage.feed("a");
  EXPECT_EQ(stage.outputs(), (std::vector<std::string>{"a!"}));
}

TEST(TestStageTest, GivesUpAnItemThatThrows) {
  TestStage<Letters> stage;
  stage.feed("ab");
  EXPECT_THROW(stage.feed("cd!"), std::invalid_argument);
  stage.feed("e");
  EXPECT_EQ(stage.outputs(), (std::vector<std::string>{"a", "b", "e"})) << "nothing of the item that failed";
  Letters::seen.clear();
  stage.crash();
  EXPECT_EQ(Letters::seen, (std::vector<std::pair<std::uint64_t, std::uint32_t>>{{0, 2}, {2, 2}}));
}

TEST(TestStageTest, ACrashRepeatsWhatIsNotCommittedWithTheSameSequence) {
  Letters::seen.clear();
  TestStage<Letters> stage;
  stage.feed("ab");
  stage.commit();
  stage.feed("cd");
  stage.feed("");
  stage.crash();
  stage.crash();
  EXPECT_EQ(stage.outputs(), (std::vector<std::string>{"a", "b", "c", "d"}));
  EXPECT_EQ(Letters::seen, (std::vector<std::pair<std::uint64_t, std::uint32_t>>{
                               {0, 1}, {1, 1}, {2, 1}, {1, 2}, {2, 2}, {1, 3}, {2, 3}}));
}

TEST(TestStageTest, ACheckpointIsRestoredAndNothingCountsTwice) {
  Total::cleanups = 0;
  TestStage<Total> stage;
  stage.feed(1);
  stage.feed(2);
  stage.crash();
  EXPECT_EQ(stage.outputs(), (std::vector{1, 3})) << "1 was committed before 2 came";
  stage.commit();
  stage.crash();
  stage.feed(4);
  EXPECT_EQ(stage.outputs(), (std::vector{1, 3, 7}));
  EXPECT_EQ(Total::cleanups, 0) << "a killed worker cleans nothing up";
  stage.finish();
  EXPECT_EQ(Total::cleanups, 1);
}

/// The mistake that the checkpoint above avoids is found.
TEST(TestStageTest, ShowsStateThatACrashLoses) {
  struct Forgetful : Stage<int> {
    int operator()(int number) override { return total += number; }
    int total = 0;
  };
  TestStage<Forgetful> stage;
  stage.feed(1);
  stage.commit();
  stage.crash();
  stage.feed(2);
  EXPECT_EQ(stage.outputs(), (std::vector{1, 2})) << "with a checkpoint it would be 1, 3";
}

TEST(TestStageTest, WaitsForAsynchronousAnswers) {
  TestStage<Late> stage([] { return std::make_unique<Late>(); });
  stage.feed("one");
  stage.feed("two");
  EXPECT_EQ(stage.outputs(), (std::vector<std::string>{"one?", "two?"}));
}

TEST(TestSourceTest, GoesOnFromTheCommittedCursor) {
  TestSource<Numbers> source({{"count", 5}});
  EXPECT_TRUE(source.run(2));
  EXPECT_TRUE(source.object().started);
  source.commit();
  EXPECT_TRUE(source.run(2));
  source.crash();
  EXPECT_EQ(source.outputs(), (std::vector{0, 1}));
  EXPECT_FALSE(source.run());
  EXPECT_TRUE(source.object().resumed);
  EXPECT_FALSE(source.object().started);
  EXPECT_EQ(source.outputs(), (std::vector{0, 1, 2, 3, 4}));
  source.finish();
}

TEST(TestSourceTest, BeginsAgainIfNothingWasCommitted) {
  TestSource<Numbers> source({{"count", 2}});
  source.run(1);
  source.crash();
  source.run();
  EXPECT_TRUE(source.object().started);
  EXPECT_EQ(source.outputs(), (std::vector{0, 1}));
}

TEST(TestSinkTest, UndoesWhatWasNotCommitted) {
  const TempFolder folder;
  folder.write("report.txt", "of an earlier run\n");
  TestSink<Report> sink([&] { return std::make_unique<Report>(folder.path() / "report.txt"); });
  sink.crash();
  EXPECT_EQ(folder.read("report.txt"), "of an earlier run\n") << "constructors cut nothing";
  sink.feed("one");
  sink.commit();
  sink.feed("two");
  sink.crash();
  sink.feed("three");
  sink.finish();
  EXPECT_EQ(folder.read("report.txt"), "one\ntwo\nthree\n");
  EXPECT_TRUE(sink.object().cleaned);
}

TEST(KeptOutputTest, RefusesMoreThanWasReserved) {
  KeptOutput out(8);
  EXPECT_THROW(out.reserve(9), ItemTooLarge);
  out.reserve(4);
  EXPECT_THROW(out.emit_reserved(5), std::logic_error);
  out.emit_reserved(3);
  EXPECT_EQ(out.items().size(), 1);
}

}  // namespace
}  // namespace pystream::test
