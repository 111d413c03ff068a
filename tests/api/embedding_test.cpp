#include <sys/types.h>
#include <unistd.h>

#include <mutex>

#include "api/api_support.hpp"
#include "support/sanitized.hpp"

/// What another language's runtime needs to run its stages with this library.
namespace pystream::test {
namespace {

/// A value of that language.
struct Object {
  std::string text;
  int encoded = 0;  ///< how often it became bytes
};

}  // namespace
}  // namespace pystream::test

template <>
struct pystream::Codec<pystream::test::Object> {
  using Object = pystream::test::Object;
  static std::string name() { return "object"; }
  static std::size_t size(const Object& value) { return value.text.size() + 1; }
  static void encode(const Object& value, std::span<std::byte> to) {
    to[0] = static_cast<std::byte>(value.encoded + 1);
    std::memcpy(to.data() + 1, value.text.data(), value.text.size());
  }
  static Object decode(std::span<const std::byte> from) {
    const std::string text(reinterpret_cast<const char*>(from.data()), from.size());
    return {.text = text.substr(1), .encoded = text[0]};
  }
};

namespace pystream::test {
namespace {

/// Takes and gives objects, and appends a letter to each.
class Append final : public RawStage {
 public:
  explicit Append(char letter) : letter_(letter) {}
  void operator()(const Item& in, Output& out) override {
    Object object = in.take<Object>();
    object.text += letter_;
    out.emit(std::move(object));
  }

 private:
  char letter_;
};

ErasedStage appending(char letter) {
  return {.make = [letter] { return std::make_unique<Append>(letter); },
          .input = "object",
          .output = "object",
          .takes = &value_type<Object>()};
}

TEST(ErasedStageTest, IsMadeInItsWorker) {
  const SharedCount maker;
  Pipeline sut;
  sut.add(ErasedStage{.make =
                          [maker] {
                            *maker = ::getpid();
                            return std::make_unique<Append>('a');
                          },
                      .output = "object",
                      .takes = nullptr});
  sut.parallelize(kAllResults);
  ASSERT_TRUE(sut.forward(Object{.text = "x"}));
  EXPECT_EQ(sut.get_results<Object>()->text, "xa");
  EXPECT_EQ(*maker, sut.status().stages[0].pid);
}

TEST(ErasedStageTest, GetsEncodedItemsOfAnotherProcessAndValuesOfItsOwn) {
  Pipeline child;
  child.add(appending('b')).add(appending('c'));
  Pipeline sut;
  sut.add(appending('a')).add(child.as_serial_stage()).parallelize(kAllResults);
  ASSERT_TRUE(sut.forward(Object{.text = "x"}));
  const auto result = sut.get_results<Object>();
  EXPECT_EQ(result->text, "xabc");
  EXPECT_EQ(result->encoded, 3);  // by forward() and by each of the two workers
}

TEST(ErasedStageTest, ItsItemsMustFitThoseOfItsNeighbours) {
  Pipeline sut;
  sut.add(appending('a')).add([](int x) { return x; });
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { sut.parallelize(); }),
                       "gives items of type object, but stage MainPipeline__Stage_2 takes int32"));
}

/// A value that may be of any type, as those of another language are.
struct Anything {
  std::vector<std::byte> bytes;
};

}  // namespace
}  // namespace pystream::test

template <>
struct pystream::Codec<pystream::test::Anything> {
  static std::string name() { return "any"; }
  static std::size_t size(const pystream::test::Anything& value) { return value.bytes.size(); }
  static void encode(const pystream::test::Anything& value, std::span<std::byte> to) {
    std::memcpy(to.data(), value.bytes.data(), to.size());
  }
  static pystream::test::Anything decode(std::span<const std::byte> from) { return {{from.begin(), from.end()}}; }
};

namespace pystream::test {
namespace {

TEST(ErasedStageTest, ValuesOfAnyTypeFitTypedStagesAtBothEnds) {
  Pipeline sut;
  sut.add([](char x) { return static_cast<char>(x + 1); }).parallelize(kAllResults);
  ASSERT_TRUE(sut.forward(Anything{{std::byte{'a'}}}));
  EXPECT_EQ(sut.get_results<Anything>()->bytes, std::vector<std::byte>{std::byte{'b'}});
}

TEST(ErasedStageTest, WithoutAFactoryIsRefused) {
  Pipeline sut;
  EXPECT_TRUE(contains(message_of<Error>([&] { sut.add(ErasedStage{}); }), "ErasedStage::make is empty"));
  sut.add(ErasedStage{.make = [] { return nullptr; }});
  EXPECT_TRUE(
      contains(message_of<PipelineInitiationError>([&] { sut.parallelize(); }), "ErasedStage::make gave no stage"));
}

TEST(ErasedStageTest, IsMadeAgainForEachReplicaAndRestart) {
  const SharedCount made;
  Pipeline sut;
  const auto make = [made] {
    ++*made;
    return std::make_unique<Append>('a');
  };
  sut.add(ErasedStage{.make = make}, "Append", {.replicas = 2}).parallelize(kAllResults);
  EXPECT_EQ(*made, 2);
  ::kill(sut.status().stages[0].pid, SIGKILL);
  EXPECT_TRUE(wait_until([&] { return *made == 3; }));
}

TEST(SerialResultsTest, OfAFunctionAreNotEncoded) {
  std::vector<std::string> results;
  int encoded = -1;
  Pipeline sut;
  sut.add(appending('a')).add(appending('b'));
  sut.serialize({.on_result = [&](const Item& item) {
    const Object* object = item.value<Object>();
    ASSERT_NE(object, nullptr);
    results.push_back(object->text);
    encoded = object->encoded;
  }});
  EXPECT_TRUE(sut.forward(Object{.text = "x"}));
  EXPECT_EQ(results, std::vector<std::string>{"xab"});
  EXPECT_EQ(encoded, 0);
  EXPECT_FALSE(sut.get_results<Object>());
}

TEST(SerialResultsTest, WhatTheFunctionThrowsComesOutOfForward) {
  Pipeline sut;
  sut.add([](int x) { return x; });
  sut.serialize({.on_result = [](const Item&) { throw std::out_of_range("full"); }});
  EXPECT_THROW(static_cast<void>(sut.forward(1)), std::out_of_range);
}

struct HookCounts {
  std::atomic<int> before{0};
  std::atomic<int> in_parent{0};
  std::atomic<int> in_worker{0};
  std::atomic<int> parent{0};
  std::atomic<int> worker{0};
};

ForkHooks counting(const Shared<HookCounts>& counts) {
  return {.before = [counts] { ++counts->before; },
          .in_parent =
              [counts] {
                ++counts->in_parent;
                counts->parent = ::getpid();
              },
          .in_worker =
              [counts] {
                ++counts->in_worker;
                counts->worker = ::getpid();
              }};
}

TEST(ForkHooksTest, AreCalledOnceInTheProgramAndOnceInEachWorker) {
  const Shared<HookCounts> counts;
  ParallelOptions options = kAllResults;
  options.fork_hooks = counting(counts);
  Pipeline sut;
  sut.add([counts](int) { return counts->before - counts->in_parent + 10 * (counts->worker == ::getpid()); });
  sut.parallelize(options);
  EXPECT_EQ(counts->before, 1);
  EXPECT_EQ(counts->in_parent, 1);
  EXPECT_EQ(counts->parent, ::getpid());
  EXPECT_EQ(counts->in_worker, 1);
  ASSERT_TRUE(sut.forward(0));
  EXPECT_EQ(sut.get_results<int>(), 10);  // called in the very process that runs the stage
  ::kill(sut.status().stages[0].pid, SIGKILL);
  EXPECT_TRUE(wait_until([&] { return counts->in_worker == 2; }));
  EXPECT_EQ(counts->before, 1);  // the coordinator forks without them
}

TEST(ForkHooksTest, WhoGivesThemWarnsOfThreadsItself) {
  std::string said;
  set_logger([&](LogLevel, std::string_view text) { said += text; });
  const std::jthread other([](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(1ms);
    }
  });
  const Shared<HookCounts> counts;
  ParallelOptions options = kAllResults;
  options.fork_hooks = counting(counts);
  Pipeline sut;
  sut.add([](int x) { return x; }).parallelize(options);
  set_logger({});
  EXPECT_EQ(said, "");
}

TEST(ForkHooksTest, SpawnedWorkersCallNone) {
  const Shared<HookCounts> counts;
  ParallelOptions options = kAllResults;
  options.fork_hooks = counting(counts);
  options.start_method = StartMethod::spawn;
  options.worker_program = PYSTREAM_TEST_SPAWN_WORKER;
  Pipeline sut;
  sut.add(RegisteredStage{.type = "test.which_process"}, "Which").parallelize(options);
  EXPECT_EQ(counts->before + counts->in_parent + counts->in_worker, 0);
}

/// A stage whose cleanup() takes longer than the usual grace.
class SlowEnd final : public Stage<int> {
 public:
  SlowEnd(SharedCount ended, std::chrono::milliseconds duration) : ended_(std::move(ended)), duration_(duration) {}
  int operator()(int x) override { return x; }
  void cleanup() override {
    std::this_thread::sleep_for(duration_);
    ++*ended_;
  }

 private:
  SharedCount ended_;
  std::chrono::milliseconds duration_;
};

TEST(StopGraceTest, GivesCleanupsTheTimeThatTheyNeed) {
  const SharedCount ended;
  ParallelOptions options;
  options.stop_grace = kDeadline;
  Pipeline sut;
  sut.add(SlowEnd(ended, 2500ms)).parallelize(options).cleanup();
  EXPECT_EQ(*ended, 1);
}

TEST(StopGraceTest, EndsACleanupThatTakesLonger) {
  const SharedCount ended;
  ParallelOptions options;
  options.stop_grace = 10ms;
  Pipeline sut;
  sut.add(SlowEnd(ended, kDeadline)).parallelize(options).cleanup();
  EXPECT_EQ(*ended, 0);
}

TEST(WorkerLinesTest, ComeToTheProgramInOrder) {
  std::vector<std::string> lines;
  ParallelOptions options = kAllResults;
  options.worker_lines = [&](std::string_view stage, std::string_view line) {
    lines.push_back(std::string(stage) + ": " + std::string(line));
  };
  Pipeline sut;
  sut.add(
         [](int x) {
           std::cerr << "got " << x << "\nand on" << std::endl;
           return x;
         },
         "Talk")
      .parallelize(options);
  ASSERT_TRUE(sut.forward(7));
  EXPECT_EQ(sut.get_results<int>(), 7);
  sut.cleanup();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_TRUE(contains(lines[0], "Talk: got 7"));
  EXPECT_TRUE(contains(lines[1], "Talk: and on"));
}

TEST(WorkerLinesTest, TheirFunctionMayCallThePipeline) {
  int seen = 0;
  ParallelOptions options = kAllResults;
  Pipeline sut;
  options.worker_lines = [&](std::string_view, std::string_view) {
    ++seen;
    EXPECT_FALSE(sut.status().stages.empty());
  };
  sut.add([](int x) {
       std::cerr << "got " << x << std::endl;
       return x;
     })
      .parallelize(options);
  ASSERT_TRUE(sut.forward(7));
  EXPECT_EQ(sut.get_results<int>(), 7);
  EXPECT_TRUE(wait_until([&] {
    static_cast<void>(sut.status());
    return seen == 1;
  }));
}

/// What a runtime knows of the stack.
void write_note(int fd) {
  constexpr std::string_view kNote = "frame of a script\n";
  [[maybe_unused]] const ssize_t written = ::write(fd, kNote.data(), kNote.size());
}

TEST(StackWriterTest, IsCalledByAWorkerThatCrashes) {
  std::string lines;
  ParallelOptions options = kAllResults;
  options.worker_lines = [&](std::string_view, std::string_view line) { lines.append(line).append("\n"); };
  set_stack_writer(write_note);
  Pipeline sut;
  sut.add(
         [](int x) {
           if (x == 1) {
             std::raise(SIGSEGV);
           }
           return x;
         },
         "Crash", {.max_attempts = 1})
      .parallelize(options);
  set_stack_writer(nullptr);
  EXPECT_EQ(sut.forward_all({1, 2}), 2U);
  EXPECT_EQ(sut.get_results<int>(), 2);
  sut.cleanup();
  if (!kSanitized) {  // a sanitizer has handlers of its own
    EXPECT_TRUE(contains(lines, "frame of a script"));
  }
}

TEST(StackWriterTest, IsCalledByAWorkerThatHangs) {
  std::string lines;
  ParallelOptions options = kAllResults;
  options.worker_lines = [&](std::string_view, std::string_view line) { lines.append(line).append("\n"); };
  set_stack_writer(write_note);
  Pipeline sut;
  sut.add(
         [](int x) {
           while (x == 1) {
             std::this_thread::sleep_for(1s);
           }
           return x;
         },
         "Hang", {.max_attempts = 1, .timeout = 300ms})
      .parallelize(options);
  set_stack_writer(nullptr);
  EXPECT_EQ(sut.forward_all({1, 2}), 2U);
  EXPECT_EQ(sut.get_results<int>(), 2);
  sut.cleanup();
  if (!kSanitized) {
    EXPECT_TRUE(contains(lines, "frame of a script"));
  }
}

TEST(AsStageTest, OfAPipelineThatWasNotStartedNeedsNoWorkers) {
  Pipeline child;
  child.add([](int x) { return x + 1; }).add([](int x) { return x * 2; });
  Pipeline sut;
  sut.add(child.as_parallel_stage(), "Child").parallelize(kAllResults);
  EXPECT_EQ(sut.status().stages.size(), 2U);
  ASSERT_TRUE(sut.forward(3));
  EXPECT_EQ(sut.get_results<int>(), 8);
}

TEST(AsStageTest, OfBranchesJoinsAsItSays) {
  Pipeline child;
  child.add([](int x) { return x + 1; }).add([](int x) { return x * 2; });
  Pipeline sut;
  sut.add(child.as_branch_stage(Join::merge), "Child").parallelize(kAllResults);
  ASSERT_TRUE(sut.forward(3));
  EXPECT_EQ(read_all<int>(sut, 2), (std::vector{4, 6}));
}

}  // namespace
}  // namespace pystream::test
