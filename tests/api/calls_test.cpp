#include "api/api_support.hpp"

/// What every call does at the wrong time, with the wrong type, with too much, and from several threads at once.
namespace pystream::test {
namespace {

int same(int x) {
  return x;
}

enum class Mode { serial, parallel };

void start(Pipeline& pipeline, Mode mode) {
  if (mode == Mode::serial) {
    pipeline.serialize({.results = Results::all, .block_output = true, .output_timeout = kDeadline});
  } else {
    pipeline.parallelize(kAllResults);
  }
}

/// Every call that needs a running pipeline, by name.
std::vector<std::pair<const char*, std::function<void(Pipeline&)>>> calls() {
  return {
      {"forward(1)", [](Pipeline& pipeline) { static_cast<void>(pipeline.forward(1)); }},
      {"forward()", [](Pipeline& pipeline) { static_cast<void>(pipeline.forward()); }},
      {"forward_all",
       [](Pipeline& pipeline) {
         EXPECT_EQ(pipeline.forward_all({1, 2}), 2U);
       }},
      {"loan", [](Pipeline& pipeline) { static_cast<void>(pipeline.loan(4)); }},
      {"get_results", [](Pipeline& pipeline) { static_cast<void>(pipeline.get_results<int>()); }},
      {"drain", [](Pipeline& pipeline) { static_cast<void>(pipeline.drain(kDeadline)); }},
      {"status", [](Pipeline& pipeline) { pipeline.status(); }},
      {"a loop",
       [](Pipeline& pipeline) {
         pipeline.start_loop(0ms);
         const auto ended = [&] {
           pipeline.stop_loop();
           pipeline.start_loop(0ms);
           return false;
         };
         wait_until(ended);  // what ended the loop comes out of stop_loop()
       }},
  };
}

template <class Expected>
void expect_all_throw(Pipeline& pipeline, const char* when) {
  for (const auto& [name, call] : calls()) {
    EXPECT_THROW(call(pipeline), Expected) << name << " " << when;
  }
}

class CallsTest : public ::testing::TestWithParam<Mode> {
 protected:
  static Pipeline make() {
    return Pipeline({.input_generator = [] { return 1; }, .use_profiler = true});
  }
};

TEST_P(CallsTest, AreRefusedBeforeTheStartAndAfterCleanup) {
  Pipeline sut = make();
  sut.add(same);
  expect_all_throw<PipelineUndefined>(sut, "before the start");
  EXPECT_THROW(sut.get_profiles(), PipelineUndefined);
  start(sut, GetParam());
  EXPECT_TRUE(sut.forward(5));
  EXPECT_EQ(sut.get_results<int>(), 5);
  sut.cleanup();
  expect_all_throw<PipelineUndefined>(sut, "after cleanup()");
  EXPECT_EQ(sut.get_profiles().latency.size(), 2U);  // of the run that was
  sut.stop_loop();
  sut.cleanup();
  start(sut, GetParam());
  EXPECT_TRUE(sut.forward(6));
  EXPECT_EQ(sut.get_results<int>(), 6);
}

TEST_P(CallsTest, AnotherTypeIsRefusedAndChangesNothing) {
  Pipeline sut;
  sut.add(same, "A");
  start(sut, GetParam());
  EXPECT_TRUE(contains(message_of<PayloadError>([&] { static_cast<void>(sut.forward(std::string("x"))); }),
                       "MainPipeline__A takes int32"));
  EXPECT_THROW(std::ignore = sut.forward_all({1.0, 2.0}), PayloadError);
  EXPECT_TRUE(sut.forward(7));
  EXPECT_TRUE(contains(message_of<PayloadError>([&] { static_cast<void>(sut.get_results<std::string>()); }),
                       "MainPipeline__A gives int32"));
  EXPECT_EQ(sut.get_results<int>(), 7);
}

TEST_P(CallsTest, EveryCallFromAThreadOfItsOwnAtOnce) {
  constexpr int kItems = 300;
  Pipeline sut = make();
  sut.add(same).add(same);
  start(sut, GetParam());
  std::atomic<int> sent = 0;
  std::atomic<bool> over = false;
  std::vector<std::jthread> threads;
  const auto until_over = [&](const std::function<void()>& call) {
    threads.emplace_back([&over, call] {
      while (!over) {
        call();
      }
    });
  };
  until_over([&] { sut.status(); });
  until_over([&] { sut.get_profiles(); });
  until_over([&] { static_cast<void>(sut.drain(1ms)); });
  for (int feeder = 0; feeder < 2; ++feeder) {
    threads.emplace_back([&] {
      for (int i = 0; i < kItems; ++i) {
        sent += sut.forward(i) ? 1 : 0;
        sent += static_cast<int>(sut.forward_all({i, i}));
        sent += sut.forward() ? 1 : 0;
      }
    });
  }
  int got = 0;
  while (got < 2 * 4 * kItems && sut.get_results<int>()) {
    ++got;
  }
  over = true;
  threads.clear();
  EXPECT_EQ(got, sent);
  EXPECT_EQ(got, 2 * 4 * kItems);
}

TEST_P(CallsTest, ATimeoutMayBeForEver) {
  constexpr auto kForEver = std::chrono::nanoseconds::max();
  Pipeline sut;
  sut.add(same);
  if (GetParam() == Mode::serial) {
    sut.serialize(
        {.results = Results::all, .input_timeout = kForEver, .block_output = true, .output_timeout = kForEver});
  } else {
    sut.parallelize(
        {.input_timeout = kForEver, .block_output = true, .output_timeout = kForEver, .results = Results::all});
  }
  std::jthread feeder([&] {
    std::this_thread::sleep_for(50ms);  // the reader waits by then, or will not have to
    EXPECT_TRUE(sut.forward(1));
  });
  EXPECT_EQ(sut.get_results<int>(), 1);
  EXPECT_TRUE(sut.drain(kForEver));
}

INSTANTIATE_TEST_SUITE_P(BothModes, CallsTest, ::testing::Values(Mode::serial, Mode::parallel),
                         [](const auto& mode) { return mode.param == Mode::serial ? "Serial" : "Parallel"; });

TEST(FailedPipelineTest, EveryCallTellsWhatFailedUntilItIsStartedAgain) {
  const SharedCount broken;
  *broken = 1;
  Pipeline sut({.input_generator = [] { return 1; }, .use_profiler = true});
  sut.add([broken](int x) { return *broken > 0 ? (std::abort(), x) : x; }, "Bad", {.on_crash = OnCrash::fail});
  sut.parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(1));
  ASSERT_TRUE(wait_until([&] {
    try {
      return sut.get_results<int>().has_value();
    } catch (const PipelineTerminated&) {
      return true;
    }
  }));
  expect_all_throw<PipelineTerminated>(sut, "after the failure");
  EXPECT_TRUE(
      contains(message_of<PipelineTerminated>([&] { static_cast<void>(sut.forward(1)); }), "MainPipeline__Bad"));
  EXPECT_THROW(sut.get_profiles(), PipelineTerminated);
  sut.cleanup();
  expect_all_throw<PipelineUndefined>(sut, "after the failure and cleanup()");
  *broken = 0;
  sut.parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(3));
  EXPECT_EQ(sut.get_results<int>(), 3);
}

/// Links that carry up to 1,000 bytes.
ParallelOptions small_links() {
  ParallelOptions options = kAllResults;
  options.capacity.bytes = 1000;
  return options;
}

void expect_sizes(const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "no exception";
  } catch (const ItemTooLarge& error) {
    EXPECT_EQ(error.size(), 1001U);
    EXPECT_EQ(error.limit(), 1000U);
    EXPECT_TRUE(contains(error.what(), "1001"));
    EXPECT_TRUE(contains(error.what(), "1000"));
  }
}

TEST(TooLargeTest, IsRefusedByEveryWayIn) {
  const std::string large(1001, 'x');
  Pipeline sut({.input_generator = [&] { return large; }});
  sut.add([](const std::string& text) { return text; }).parallelize(small_links());
  expect_sizes([&] { static_cast<void>(sut.forward(large)); });
  expect_sizes([&] { static_cast<void>(sut.forward()); });
  expect_sizes([&] { static_cast<void>(sut.loan(1001)); });
  expect_sizes([&] { std::ignore = sut.forward_all(std::vector<std::string>{"first", large, "never"}); });
  EXPECT_EQ(sut.get_results<std::string>(), "first");  // what stood before it has been taken
  EXPECT_TRUE(sut.forward("next"));
  EXPECT_EQ(sut.get_results<std::string>(), "next");
}

TEST(TooLargeTest, OfAStageIsThatStagesError) {
  Pipeline sut;
  sut.add([](int size) { return std::string(static_cast<std::size_t>(size), 'x'); }, "Blow",
          {.on_error = OnError::skip});
  sut.add([](const std::string& text) { return static_cast<int>(text.size()); }, "Measure");
  sut.parallelize(small_links());
  EXPECT_EQ(sut.forward_all({999, 1001, 1000}), 3U);
  EXPECT_EQ(read_all<int>(sut, 2), (std::vector<int>{999, 1000}));
  EXPECT_EQ(sut.status().stages[0].errors, 1U);

  Pipeline strict;
  strict.add([](int size) { return std::string(static_cast<std::size_t>(size), 'x'); }, "Blow",
             {.on_error = OnError::fail});
  strict.parallelize(small_links());
  EXPECT_TRUE(strict.forward(1001));
  const std::string message =
      message_of<PipelineTerminated>([&] { static_cast<void>(strict.get_results<std::string>()); });
  for (const char* part : {"MainPipeline__Blow", "1001", "1000"}) {
    EXPECT_TRUE(contains(message, part));
  }
}

}  // namespace
}  // namespace pystream::test
