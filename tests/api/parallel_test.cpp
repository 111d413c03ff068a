#include <unistd.h>

#include <array>
#include <cstring>
#include <numeric>
#include <ranges>
#include <stdexcept>

#include "api/api_support.hpp"

namespace pystream::test {
namespace {

int same(int x) {
  return x;
}

/// A stage that waits until it is let go.
struct Gate {
  SharedCount open;
  SharedCount inside;
  int operator()(int x) {
    ++*inside;
    while (*open == 0) {
      std::this_thread::sleep_for(1ms);
    }
    return x;
  }
};

TEST(ParallelTest, RunsEveryStageInAProcessOfItsOwn) {
  const Shared<std::array<std::atomic<int>, 2>> pids;
  Pipeline sut;
  sut.add([pids](int x) {
    (*pids)[0] = ::getpid();
    return x + 1;
  });
  sut.add([pids](int x) {
    (*pids)[1] = ::getpid();
    return x * 2;
  });
  sut.parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(4));
  EXPECT_EQ(sut.get_results<int>(), 10);
  EXPECT_NE((*pids)[0], ::getpid());
  EXPECT_NE((*pids)[1], ::getpid());
  EXPECT_NE((*pids)[0], (*pids)[1]);
}

TEST(ParallelTest, GetAllResultsGivesWhatIsThereInOrder) {
  Pipeline sut;
  sut.add(same).parallelize(kAllResults);
  std::vector<int> items(10'000);
  std::iota(items.begin(), items.end(), 0);
  ASSERT_EQ(sut.forward_all(items), items.size());
  std::vector<int> results;
  while (results.size() < items.size()) {
    const std::vector<int> more = sut.get_all_results<int>(1'500);
    ASSERT_FALSE(more.empty()) << "after " << results.size();
    ASSERT_LE(more.size(), 1'500U);
    results.insert(results.end(), more.begin(), more.end());
  }
  EXPECT_EQ(results, items);
  EXPECT_TRUE(sut.get_all_results<int>(0).empty());
}

TEST(ParallelTest, GetAllResultsGivesNothingWhereThereIsNone) {
  Pipeline sut;
  sut.add(same).parallelize({.results = Results::all});
  EXPECT_TRUE(sut.get_all_results<int>().empty());
}

TEST(ParallelTest, NewestResultsAreOneAtMost) {
  Pipeline sut;
  sut.add(same).parallelize({.block_output = true, .output_timeout = kDeadline});
  EXPECT_EQ(sut.forward_all({1, 2, 3}), 3U);
  ASSERT_TRUE(sut.drain(kDeadline));
  EXPECT_EQ(sut.get_all_results<int>(), std::vector<int>{3});
}

/// Results that were read ahead of the release must not fill a link of few items.
TEST(ParallelTest, SmallLinksGoOnWhileResultsAreRead) {
  for (const std::uint64_t capacity : {1, 2, 3, 16}) {
    ParallelOptions options = kAllResults;
    options.capacity.items = capacity;
    Pipeline sut;
    sut.add(same).parallelize(options);
    std::vector<int> items(2'000);
    std::iota(items.begin(), items.end(), 0);
    std::jthread feeder([&] { EXPECT_EQ(sut.forward_all(items), items.size()); });
    EXPECT_EQ(read_all<int>(sut, items.size()), items);
  }
}

/// Forwarded together they travel as runs; a generator that throws in the midst of one has forwarded those before.
TEST(ParallelTest, WhatAThrowingRangeGaveBeforeIsForwarded) {
  for (const int last : {0, 1, 511, 512, 1'000}) {
    Pipeline sut;
    sut.add(same).parallelize(kAllResults);
    const auto items = std::views::iota(0) | std::views::transform([last](int n) {
                         return n <= last ? n : throw std::runtime_error("the range is broken");
                       });
    EXPECT_EQ(message_of<std::runtime_error>([&] { static_cast<void>(sut.forward_all(items)); }),
              "the range is broken");
    EXPECT_EQ(read_all<int>(sut, static_cast<std::size_t>(last) + 1).back(), last);
    EXPECT_TRUE(sut.drain(kDeadline));
  }
}

TEST(ParallelTest, GivesEveryResultInOrder) {
  Pipeline sut;
  sut.add([](int x) { return x + 1; }).add([](int x) { return x * 2; }).parallelize(kAllResults);
  constexpr int kItems = 100'000;
  std::jthread feeder([&] {
    for (int i = 0; i < kItems; ++i) {
      EXPECT_TRUE(sut.forward(i));
    }
  });
  for (int i = 0; i < kItems; ++i) {
    ASSERT_EQ(sut.get_results<int>(), (i + 1) * 2);
  }
}

TEST(ParallelTest, GivesAResultOnce) {
  Pipeline sut;
  sut.add(same).parallelize();
  EXPECT_EQ(sut.get_results<int>(), std::nullopt);
  EXPECT_TRUE(sut.forward(7));
  ASSERT_TRUE(sut.drain(kDeadline));
  EXPECT_EQ(sut.get_results<int>(), 7);
  EXPECT_EQ(sut.get_results<int>(), std::nullopt);
}

TEST(ParallelTest, NewestReplacesWhatWasNotRead) {
  Pipeline sut;
  sut.add(same).parallelize();
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(sut.forward(i));
  }
  ASSERT_TRUE(sut.drain(kDeadline));
  EXPECT_EQ(sut.get_results<int>(), 99);
  EXPECT_EQ(sut.get_results<int>(), std::nullopt);
}

TEST(ParallelTest, WithNewestAUserWhoNeverReadsStopsNothing) {
  Pipeline sut;
  sut.add([](std::vector<char> data) { return data; });
  sut.parallelize({.input_timeout = kDeadline});
  for (int i = 0; i < 300; ++i) {  // far more than all links hold
    ASSERT_TRUE(sut.forward(std::vector<char>(200'000, static_cast<char>(i))));
  }
  ASSERT_TRUE(sut.drain(kDeadline));
  EXPECT_EQ(sut.get_results<std::vector<char>>(), std::vector<char>(200'000, static_cast<char>(299)));
}

TEST(ParallelTest, WithAllAUserWhoNeverReadsHoldsItUp) {
  Pipeline sut;
  sut.add(same);
  sut.parallelize({.input_timeout = 10ms, .results = Results::all, .capacity = {.items = 4, .bytes = {}}});
  int taken = 0;
  while (sut.forward(taken)) {
    ASSERT_LT(++taken, 1000);
  }
  EXPECT_FALSE(sut.drain(10ms));
  for (int i = 0; i < taken; ++i) {
    EXPECT_TRUE(wait_until([&] { return sut.get_results<int>() == i; })) << i;
  }
}

TEST(ParallelTest, ForwardIsFalseWhenTheFirstLinkStaysFull) {
  const Gate gate;
  for (const bool block : {true, false}) {
    *gate.open = 0;
    Pipeline sut;
    sut.add(gate);
    sut.parallelize({.block_input = block, .input_timeout = 30ms, .capacity = {.items = 2, .bytes = {}}});
    int taken = 0;
    const auto began = std::chrono::steady_clock::now();
    while (sut.forward(1)) {
      ASSERT_LT(++taken, 100);
    }
    EXPECT_GE(std::chrono::steady_clock::now() - began, block ? 30ms : 0ms);
    EXPECT_GE(taken, 2);
    *gate.open = 1;
    EXPECT_TRUE(wait_until([&] { return sut.forward(2); }));
  }
}

TEST(ParallelTest, ForwardWaitsUntilThereIsRoom) {
  const Gate gate;
  Pipeline sut;
  sut.add(gate).parallelize({.input_timeout = kDeadline, .capacity = {.items = 1, .bytes = {}}});
  EXPECT_TRUE(sut.forward(1));
  ASSERT_TRUE(wait_until([&] { return *gate.inside == 1; }));
  std::jthread opener([&] { *gate.open = 1; });
  EXPECT_TRUE(sut.forward(2));
}

TEST(ParallelTest, BlockOutputWaitsForAResultAndGivesUpInTime) {
  const Gate gate;
  Pipeline sut;
  sut.add(gate).parallelize({.block_output = true, .output_timeout = 20ms});
  EXPECT_TRUE(sut.forward(1));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(sut.get_results<int>(), std::nullopt);
  EXPECT_GE(std::chrono::steady_clock::now() - began, 20ms);
  *gate.open = 1;
  EXPECT_TRUE(wait_until([&] { return sut.get_results<int>() == 1; }));
}

TEST(ParallelTest, ForwardAllTakesAsManyAsThereIsRoomFor) {
  const Gate gate;
  Pipeline sut;
  sut.add(gate).parallelize({.block_input = false, .results = Results::all, .capacity = {.items = 4, .bytes = {}}});
  std::vector<int> items(20);
  std::iota(items.begin(), items.end(), 0);
  const std::size_t taken = sut.forward_all(items);
  EXPECT_GE(taken, 4U);
  EXPECT_LT(taken, 20U);
  *gate.open = 1;
  for (int i = 0; i < static_cast<int>(taken); ++i) {
    EXPECT_TRUE(wait_until([&] { return sut.get_results<int>() == i; }));
  }
}

TEST(ParallelTest, PassesItemsOfEverySize) {
  Pipeline sut;
  sut.add([](std::string text) { return text; }).parallelize(kAllResults);
  for (const std::size_t size : {0U, 1U, 100U, 65'000U, 70'000U, 1U << 20, 20U << 20}) {
    const std::string text(size, 'x');
    ASSERT_TRUE(sut.forward(text));
    ASSERT_EQ(sut.get_results<std::string>(), text);
  }
}

TEST(ParallelTest, GivesLargeItemsThatAreOnlyPassedOn) {
  Pipeline sut;
  const auto pass_on = [](const Item& in, Output& out) { out.forward(in); };
  sut.add(pass_on).add(pass_on).parallelize(kAllResults);
  for (const std::size_t size : {100U, 2U << 20, 3U << 20}) {
    const std::string text(size, 'x');
    ASSERT_TRUE(sut.forward(text));
    ASSERT_EQ(sut.get_results<std::string>(), text);
  }
}

TEST(ParallelTest, RefusesAnItemThatIsTooLarge) {
  Pipeline sut;
  sut.add([](std::string text) { return text; });
  sut.parallelize({.block_output = true, .output_timeout = kDeadline, .capacity = {.items = {}, .bytes = 100'000}});
  try {
    EXPECT_TRUE(sut.forward(std::string(100'001, 'x')));
    FAIL();
  } catch (const ItemTooLarge& error) {
    EXPECT_EQ(error.size(), 100'001U);
    EXPECT_EQ(error.limit(), 100'000U);
  }
  EXPECT_TRUE(sut.forward("small"));
  EXPECT_EQ(sut.get_results<std::string>(), "small");
}

TEST(ParallelTest, LendsRoomInSharedMemory) {
  Pipeline sut;
  sut.add([](std::vector<std::uint16_t> numbers) {
       numbers.push_back(9);
       return numbers;
     })
      .parallelize(kAllResults);
  { Loan dropped = sut.loan(100); }
  Loan loan = sut.loan(1024);
  ASSERT_TRUE(loan);
  EXPECT_EQ(loan.bytes().size(), 1024U);
  EXPECT_THROW(std::ignore = sut.loan(4), Error);
  EXPECT_THROW(loan.forward(1025), Error);
  const std::uint16_t seven = 7;
  std::memcpy(loan.bytes().data(), &seven, sizeof(seven));
  loan.forward(sizeof(seven));
  EXPECT_EQ(sut.get_results<std::vector<std::uint16_t>>(), (std::vector<std::uint16_t>{7, 9}));
}

TEST(ParallelTest, StagesSeeSequenceAndAttempt) {
  Pipeline sut;
  sut.add([](const Item& in, Output& out) { out.emit(in.sequence() * 10 + in.attempt()); }).parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({5, 5, 5}), 3U);
  EXPECT_EQ(read_all<std::uint64_t>(sut, 3), (std::vector<std::uint64_t>{1, 11, 21}));
}

TEST(ParallelTest, FiltersAndMultipliesItems) {
  Pipeline sut;
  sut.add([](int x) -> std::optional<int> { return x % 2 == 0 ? std::optional(x) : std::nullopt; });
  sut.add([](int x, Emitter<int>& out) {
    for (int i = 0; i < x; ++i) {
      out(x * 100 + i);
    }
  });
  sut.parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({1, 2, 3, 4}), 4U);
  EXPECT_EQ(read_all<int>(sut, 6), (std::vector<int>{200, 201, 400, 401, 402, 403}));
}

TEST(ParallelTest, DrainTellsWhetherSomethingIsInFlight) {
  const Gate gate;
  Pipeline sut;
  sut.add(same).add(gate).add(same).parallelize();
  EXPECT_TRUE(sut.drain(0s));
  EXPECT_TRUE(sut.forward(1));
  EXPECT_FALSE(sut.drain(20ms));
  *gate.open = 1;
  EXPECT_TRUE(sut.drain(kDeadline));
}

TEST(ParallelTest, CleanupRunsInEveryWorkerOnce) {
  struct Cleaned final : Stage<int> {
    explicit Cleaned(SharedCount count) : count_(std::move(count)) {}
    int operator()(int x) override { return x; }
    void cleanup() override { ++*count_; }
    SharedCount count_;
  };
  const SharedCount cleaned;
  {
    Pipeline sut;
    sut.add(Cleaned(cleaned)).add(std::make_unique<Cleaned>(cleaned)).parallelize();
    EXPECT_TRUE(sut.forward(1));
    sut.cleanup();
    EXPECT_EQ(*cleaned, 2);
    EXPECT_THROW(std::ignore = sut.forward(1), PipelineUndefined);
    sut.parallelize();
  }
  EXPECT_EQ(*cleaned, 4);  // the destructor cleans up, too
}

TEST(ParallelTest, CleanupDoesNotWaitForWhatIsQueued) {
  constexpr int kItems = 10'000;
  const SharedCount begun;
  Pipeline sut;
  sut.add([begun](int x) {
    ++*begun;
    std::this_thread::sleep_for(2ms);
    return x;
  });
  sut.parallelize();
  for (int i = 0; i < kItems; ++i) {
    EXPECT_TRUE(sut.forward(i));
  }
  sut.cleanup();
  EXPECT_LT(*begun, kItems);  // all of them would take 20 seconds
}

TEST(ParallelTest, KeepsStateInItsCheckpoint) {
  struct Counter final : Stage<int>, Checkpoint<int> {
    int operator()(int) override { return ++state(); }
  };
  Pipeline sut;
  sut.add(Counter()).parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({0, 0, 0}), 3U);
  EXPECT_EQ(read_all<int>(sut, 3), (std::vector<int>{1, 2, 3}));
}

TEST(ParallelTest, TellsItsStatus) {
  Pipeline sut;
  sut.add(same, "A").add(same, "B").parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(1));
  EXPECT_TRUE(sut.get_results<int>());
  ASSERT_TRUE(wait_until([&] { return sut.status().stages[1].items == 1; }));
  const PipelineStatus status = sut.status();
  EXPECT_GT(status.coordinator, 0);
  ASSERT_EQ(status.stages.size(), 2U);
  EXPECT_EQ(status.stages[0].key, "MainPipeline__A");
  EXPECT_EQ(status.stages[0].items, 1U);
  EXPECT_EQ(::kill(status.stages[0].pid, 0), 0);
  EXPECT_EQ(status.stages[0].restarts, 0U);
  ASSERT_EQ(status.links.size(), 3U);
  EXPECT_EQ(status.links[1].name, "A -> B");
  EXPECT_EQ(status.links[1].fill, 0);
}

TEST(ParallelTest, ProfilesEveryStageAndPipeline) {
  Pipeline sut({.use_profiler = true});
  sut.add(
         [](int x) {
           std::this_thread::sleep_for(2ms);
           return x;
         },
         "Slow")
      .add(same, "Fast")
      .parallelize(kAllResults);
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(sut.forward(i));
  }
  read_all<int>(sut, 20);
  const Profiles profiles = sut.get_profiles();
  EXPECT_EQ(profiles.latency.size(), 3U);
  EXPECT_GE(profiles.latency.at("MainPipeline__Slow"), 0.002);
  EXPECT_LT(profiles.latency.at("MainPipeline__Fast"), profiles.latency.at("MainPipeline__Slow"));
  EXPECT_GE(profiles.latency.at("MainPipeline"), 0.010);  // most items wait for those before them
  EXPECT_GT(profiles.throughput.at("MainPipeline__Slow"), 0);
  EXPECT_LE(profiles.throughput.at("MainPipeline__Slow"), 500);
}

TEST(ParallelTest, DropPoliciesCountWhatTheyDrop) {
  const Gate gate;
  Pipeline sut;
  sut.add(same, "A").add(gate, "B");
  sut.parallelize(
      {.input_timeout = kDeadline, .capacity = {.items = 2, .bytes = {}}, .overflow = Overflow::drop_oldest});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(sut.forward(i));
  }
  *gate.open = 1;
  ASSERT_TRUE(sut.drain(kDeadline));
  EXPECT_EQ(sut.get_results<int>(), 99);
  std::uint64_t dropped = 0;
  for (const LinkStatus& link : sut.status().links) {
    dropped += link.dropped;
  }
  EXPECT_GT(dropped, 0U);
}

}  // namespace
}  // namespace pystream::test
