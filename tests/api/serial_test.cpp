#include <cstring>

#include "api/api_support.hpp"

namespace pystream::test {
namespace {

int plus_one(int x) {
  return x + 1;
}

class Cleaned final : public Stage<int> {
 public:
  explicit Cleaned(SharedCount count) : count_(std::move(count)) {}
  int operator()(int x) override { return x; }
  void cleanup() override { ++*count_; }

 private:
  SharedCount count_;
};

class FailsAtTheEnd final : public Stage<int> {
 public:
  explicit FailsAtTheEnd(bool by_number = false) : by_number_(by_number) {}
  int operator()(int x) override { return x; }
  void cleanup() override {
    if (by_number_) {
      throw 42;
    }
    throw std::runtime_error("the results cannot be written");
  }

 private:
  bool by_number_;
};

TEST(SerialTest, ACleanupThatThrowsIsToldAndTheOtherStagesAreCleanedUp) {
  std::string told;
  set_logger(
      [&](LogLevel level, std::string_view text) { told += level == LogLevel::error ? std::string(text) + "\n" : ""; });
  const SharedCount cleaned;
  {
    Pipeline sut;
    sut.add(FailsAtTheEnd(), "A").add(FailsAtTheEnd(true), "B").add(Cleaned(cleaned), "C").serialize();
    EXPECT_TRUE(sut.forward(1));
    EXPECT_EQ(sut.get_results<int>(), 1);
  }
  set_logger({});
  EXPECT_TRUE(contains(told, "the results cannot be written")) << told;
  EXPECT_TRUE(contains(told, "an exception that is no std::exception")) << told;
  EXPECT_EQ(*cleaned, 1);
}

TEST(SerialTest, RunsStagesOneAfterAnotherInThisProcess) {
  std::vector<std::string> calls;
  Pipeline sut;
  sut.add([&](int x) {
    calls.push_back("A");
    return x * 2;
  });
  sut.add([&](int x) {
    calls.push_back("B");
    return x + 1;
  });
  sut.serialize();
  EXPECT_TRUE(sut.forward(5));
  EXPECT_EQ(sut.get_results<int>(), 11);
  EXPECT_EQ(calls, (std::vector<std::string>{"A", "B"}));
}

TEST(SerialTest, GivesAResultOnce) {
  Pipeline sut;
  sut.add(plus_one).serialize();
  EXPECT_EQ(sut.get_results<int>(), std::nullopt);
  EXPECT_TRUE(sut.forward(1));
  EXPECT_EQ(sut.get_results<int>(), 2);
  EXPECT_EQ(sut.get_results<int>(), std::nullopt);
}

TEST(SerialTest, ReplacesAnUnreadResultByANewerOne) {
  Pipeline sut;
  sut.add(plus_one).serialize();
  EXPECT_EQ(sut.forward_all({1, 2, 3}), 3U);
  EXPECT_EQ(sut.get_results<int>(), 4);
}

TEST(SerialTest, KeepsAllResultsInOrderAndRefusesBeyondTheLimit) {
  Pipeline sut;
  sut.add(plus_one).serialize({.results = Results::all, .results_limit = 3, .block_input = false});
  EXPECT_EQ(sut.forward_all({1, 2, 3, 4}), 3U);
  EXPECT_FALSE(sut.forward(9));
  EXPECT_EQ(sut.get_results<int>(), 2);
  EXPECT_TRUE(sut.forward(5));
  EXPECT_EQ(sut.get_results<int>(), 3);
  EXPECT_EQ(sut.get_results<int>(), 4);
  EXPECT_EQ(sut.get_results<int>(), 6);
  EXPECT_EQ(sut.get_results<int>(), std::nullopt);
}

TEST(SerialTest, WaitsForAResultIfAskedTo) {
  Pipeline sut;
  sut.add(plus_one).serialize({.block_output = true, .output_timeout = kDeadline});
  std::jthread feeder([&] { static_cast<void>(sut.forward(1)); });
  EXPECT_EQ(sut.get_results<int>(), 2);
}

TEST(SerialTest, TakesEveryFormOfStage) {
  struct Doubling final : RawStage {
    void operator()(const Item& in, Output& out) override {
      out.forward(in);
      out.forward(in);
    }
  };
  Pipeline sut;
  sut.add(plus_one);                 // 2
  sut.add([](int& x) { x *= 10; });  // 20
  sut.add([](const int& x) -> std::optional<int> { return x > 5 ? std::optional(x) : std::nullopt; });
  sut.add([](int x, Emitter<std::string>& out) { out(std::to_string(x)); });  // "20"
  sut.add(std::function<std::string(std::string)>([](std::string text) { return text + "!"; }));
  sut.add([](const Item& in, Output& out) { out.emit_bytes(in.bytes()); });
  sut.add(Doubling());
  sut.serialize({.results = Results::all});
  EXPECT_TRUE(sut.forward(1));
  EXPECT_TRUE(sut.forward(-1));  // filtered out
  EXPECT_EQ(sut.get_results<std::string>(), "20!");
  EXPECT_EQ(sut.get_results<std::string>(), "20!");
  EXPECT_EQ(sut.get_results<std::string>(), std::nullopt);
}

TEST(SerialTest, MovesValuesFromStageToStage) {
  struct Seen {
    const char* data = nullptr;
  } seen;
  Pipeline sut;
  sut.add([&](std::string text) {
    std::string longer = text + std::string(1000, 'x');
    seen.data = longer.data();
    return longer;
  });
  bool same = false;
  sut.add([&](std::string text) {
    same = text.data() == seen.data;
    return text;
  });
  sut.serialize();
  EXPECT_TRUE(sut.forward("a"));
  EXPECT_TRUE(same);
}

TEST(SerialTest, LetsAStagesExceptionOutOfForwardAndGoesOn) {
  Pipeline sut;
  sut.add([](int x) { return x == 13 ? throw std::invalid_argument("thirteen") : x; }).serialize();
  EXPECT_EQ(message_of<std::invalid_argument>([&] { static_cast<void>(sut.forward(13)); }), "thirteen");
  EXPECT_TRUE(sut.forward(14));
  EXPECT_EQ(sut.get_results<int>(), 14);
}

TEST(SerialTest, CleansStagesUpOnceAndIsUndefinedAfterwards) {
  const SharedCount cleaned;
  Pipeline sut;
  sut.add(Cleaned(cleaned)).serialize();
  sut.cleanup();
  sut.cleanup();
  EXPECT_EQ(*cleaned, 1);
  EXPECT_THROW(std::ignore = sut.forward(1), PipelineUndefined);
  EXPECT_THROW(std::ignore = sut.get_results<int>(), PipelineUndefined);
  EXPECT_THROW(std::ignore = sut.drain(1s), PipelineUndefined);
  EXPECT_THROW(sut.status(), PipelineUndefined);
  EXPECT_THROW(std::ignore = sut.loan(4), PipelineUndefined);
  EXPECT_THROW(sut.start_loop(), PipelineUndefined);
}

TEST(SerialTest, RunsAgainAfterCleanup) {
  Pipeline sut;
  sut.add(plus_one).serialize();
  sut.cleanup();
  sut.serialize();
  EXPECT_TRUE(sut.forward(1));
  EXPECT_EQ(sut.get_results<int>(), 2);
}

TEST(SerialTest, LendsRoomForAnItem) {
  Pipeline sut;
  sut.add([](std::string text) { return text + "!"; }).serialize();
  Loan loan = sut.loan(4);
  ASSERT_TRUE(loan);
  EXPECT_THROW(std::ignore = sut.forward("x"), Error);  // the same thread
  std::memcpy(loan.bytes().data(), "abcd", 4);
  loan.forward(2);
  EXPECT_EQ(sut.get_results<std::string>(), "ab!");
  EXPECT_THROW(loan.forward(), Error);
}

TEST(SerialTest, ALoanMayOutliveItsPipeline) {
  for (const bool serial : {true, false}) {
    Pipeline sut;
    sut.add([](std::string text) { return text; });
    serial ? sut.serialize() : sut.parallelize();
    Loan loan = sut.loan(4);
    sut.cleanup();
    EXPECT_THROW(loan.forward(), Error);
  }
}

TEST(SerialTest, RefusesToFeedItselfFromAStage) {
  Pipeline sut;
  sut.add([&](int x) {
       EXPECT_TRUE(sut.forward(x));
       return x;
     })
      .serialize();
  EXPECT_THROW(std::ignore = sut.forward(1), Error);
}

TEST(SerialTest, ProfilesEveryStageAndPipeline) {
  Pipeline child;
  child.add(plus_one, "Inner").serialize();
  Pipeline sut({.use_profiler = true});
  sut.add(
      [](int x) {
        std::this_thread::sleep_for(2ms);
        return x;
      },
      "Slow");
  sut.add(child.as_stage(), "Child");
  sut.serialize();
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(sut.forward(i));
  }
  const Profiles profiles = sut.get_profiles();
  EXPECT_EQ(profiles.latency.size(), 4U);
  EXPECT_GE(profiles.latency.at("MainPipeline__Slow"), 0.002);
  EXPECT_GE(profiles.latency.at("MainPipeline"), profiles.latency.at("MainPipeline__Slow"));
  EXPECT_GT(profiles.latency.at("MainPipeline__Child"), 0);
  EXPECT_LT(profiles.latency.at("MainPipeline__Child"), profiles.latency.at("MainPipeline__Slow"));
  EXPECT_GT(profiles.throughput.at("MainPipeline"), 0);
  EXPECT_LE(profiles.throughput.at("MainPipeline"), 500);
  sut.cleanup();
  EXPECT_EQ(sut.get_profiles().latency.size(), 4U);  // of the last run
  EXPECT_TRUE(contains(to_table(profiles), "MainPipeline__Child__Inner"));
}

TEST(SerialTest, HasNoProfilesWithoutAProfiler) {
  Pipeline sut;
  sut.add(plus_one).serialize();
  EXPECT_TRUE(contains(message_of<ProfilingError>([&] { sut.get_profiles(); }), "use_profiler"));
}

}  // namespace
}  // namespace pystream::test
