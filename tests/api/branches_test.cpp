#include <numeric>
#include <tuple>

#include "api/api_support.hpp"

/// Pipelines whose members each get every item.
namespace pystream::test {
namespace {

constexpr int kItems = 2'000;

int tenfold(int n) {
  return 10 * n;
}
std::string text(int n) {
  return std::to_string(n);
}

using Both = std::tuple<int, std::string>;

/// "Tens" and "Text" of the same number.
Pipeline two_views(Join join) {
  Pipeline views;
  views.add(tenfold, "Tens").add(text, "Text").branch({.join = join});
  return views;
}

void feed(Pipeline& pipeline) {
  for (int n = 0; n < kItems; ++n) {
    EXPECT_TRUE(pipeline.forward(n));
  }
}

TEST(BranchesTest, ZipGivesATupleOfTheAnswers) {
  Pipeline views = two_views(Join::zip);
  Pipeline sut;
  sut.add(views.as_stage(), "Views").add([](const Both& both) { return both; }, "Look").parallelize(kAllResults);
  const std::jthread feeder([&] { feed(sut); });
  const std::vector<Both> results = read_all<Both>(sut, kItems);
  for (int n = 0; n < kItems; ++n) {
    ASSERT_EQ(results[static_cast<std::size_t>(n)], Both(10 * n, std::to_string(n)));
  }
}

TEST(BranchesTest, AMainPipelineMayBeBranches) {
  Pipeline sut;
  sut.add(tenfold, "Tens").add(text, "Text").branch({.workers = kAllResults});
  ASSERT_TRUE(sut.forward(3));
  EXPECT_EQ(sut.get_results<Both>(), Both(30, "3"));
}

TEST(BranchesTest, MergeGivesAllAnswersInTheOrderOfTheBranches) {
  Pipeline views;
  views.add([](int n) { return n; }, "Pass")
      .add([](int n) { return n % 2 == 0 ? std::optional(-n) : std::nullopt; }, "Even")
      .branch({.join = Join::merge});
  Pipeline sut;
  sut.add(views.as_stage(), "Views").parallelize(kAllResults);
  const std::jthread feeder([&] { feed(sut); });
  std::vector<int> expected;
  for (int n = 0; n < kItems; ++n) {
    expected.push_back(n);
    if (n % 2 == 0) {
      expected.push_back(-n);
    }
  }
  EXPECT_EQ(read_all<int>(sut, expected.size()), expected);
}

TEST(BranchesTest, FirstGivesOneAnswerToEachItem) {
  Pipeline views;
  views.add(tenfold, "One").add(tenfold, "Other").branch({.join = Join::first});
  Pipeline sut;
  sut.add(views.as_stage(), "Views").parallelize(kAllResults);
  const std::jthread feeder([&] { feed(sut); });
  const std::vector<int> results = read_all<int>(sut, kItems);
  for (int n = 0; n < kItems; ++n) {
    ASSERT_EQ(results[static_cast<std::size_t>(n)], 10 * n);
  }
}

/// The answers of the one that hangs are not waited for as long as the links hold its items.
TEST(BranchesTest, FirstDoesNotWaitForTheSlowest) {
  const Shared<std::atomic<bool>> go_on;
  Pipeline views;
  views
      .add(
          [&go_on](int n) {
            wait_until([&] { return go_on->load(); });
            return n;
          },
          "Slow")
      .add([](int n) { return n; }, "Fast")
      .branch({.join = Join::first});
  Pipeline sut;
  sut.add(views.as_stage(), "Views").parallelize(kAllResults);
  for (int n = 0; n < 5; ++n) {
    ASSERT_TRUE(sut.forward(n));
    ASSERT_EQ(sut.get_results<int>(), n);
  }
  go_on->store(true);
  EXPECT_TRUE(sut.drain(kDeadline));
}

/// What the sinks of two branches saw.
struct Taken {
  std::atomic<int> items{0};
  std::atomic<std::int64_t> sum{0};
};

PipelineStage tap(const Shared<Taken>& taken) {
  Pipeline branch;
  branch.sink([taken](int n) {
    ++taken->items;
    taken->sum += n;
  });
  branch.parallelize();
  return branch.as_stage();
}

TEST(BranchesTest, NoneLetsTheItemsGoOnAndEachBranchHasASink) {
  const Shared<Taken> one;
  const Shared<Taken> other;
  Pipeline filtered;
  filtered.add([](int n) { return n % 2 == 0 ? std::optional(n) : std::nullopt; }, "Even");
  filtered.sink([other](int n) {
    ++other->items;
    other->sum += n;
  });
  filtered.parallelize();
  Pipeline taps;
  taps.add(tap(one), "All").add(filtered.as_stage(), "Half").branch({.join = Join::none});
  Pipeline sut;
  sut.add(taps.as_stage(), "Taps").add(tenfold, "Tens").parallelize(kAllResults);
  const std::jthread feeder([&] { feed(sut); });
  const std::vector<int> results = read_all<int>(sut, kItems);
  EXPECT_EQ(results.back(), 10 * (kItems - 1));
  EXPECT_TRUE(sut.drain(kDeadline));
  EXPECT_EQ(one->items, kItems);
  EXPECT_EQ(one->sum, std::int64_t{kItems} * (kItems - 1) / 2);
  EXPECT_EQ(other->items, kItems / 2);
}

TEST(BranchesTest, TheLastMemberMayBeBranchesThatJoinNothing) {
  const Shared<Taken> taken;
  Pipeline taps;
  taps.add(tap(taken), "All").branch({.join = Join::none});
  Pipeline sut;
  sut.source([n = 0]() mutable { return n < kItems ? std::optional(n++) : std::nullopt; })
      .add(taps.as_stage(), "Taps")
      .sink([](int) {});
  EXPECT_TRUE(sut.run().complete());
  EXPECT_EQ(taken->items, kItems);
}

TEST(BranchesTest, TheyStandInRowsAndReplicasAndInOneAnother) {
  Pipeline inner;
  inner.add([](int n) { return n; }, "Pass", {.replicas = 2}).add([](int n) { return -n; }, "Minus");
  inner.branch({.join = Join::merge});
  Pipeline outer;
  outer.add(inner.as_stage(), "Inner").add(tenfold, "Tens").branch({.join = Join::merge});
  Pipeline row;
  row.add([](int n) { return n + 1; }, "Up").add(outer.as_stage(), "Outer").add([](int n) { return n; }, "Pass");
  row.serialize();
  Pipeline sut;
  sut.add(row.as_stage(), "Row", {.replicas = 2}).parallelize(kAllResults);
  const std::jthread feeder([&] { feed(sut); });
  std::vector<int> expected;
  for (int n = 1; n <= kItems; ++n) {
    expected.insert(expected.end(), {n, -n, 10 * n});
  }
  EXPECT_EQ(read_all<int>(sut, expected.size()), expected);
}

TEST(BranchesTest, ASerialPipelineOfThisProcessHasBranches) {
  Pipeline views = two_views(Join::zip);
  const Shared<Taken> taken;
  Pipeline taps;
  taps.add(tap(taken), "All").branch({.join = Join::none});
  Pipeline sut;
  sut.add(taps.as_stage(), "Taps")
      .add(views.as_stage(), "Views")
      .add([](const Both& both) { return std::get<0>(both); }, "Left")
      .serialize({.results = Results::all, .block_output = true, .output_timeout = kDeadline});
  for (int n = 0; n < 200; ++n) {
    ASSERT_TRUE(sut.forward(n));
    ASSERT_EQ(sut.get_results<int>(), 10 * n);
  }
}

TEST(BranchesTest, ABranchThatFailsAnItemLeavesItOut) {
  Pipeline views;
  views.add(tenfold, "Tens")
      .add(
          [](int n) {
            if (n == 3) {
              throw std::runtime_error("no threes");
            }
            return std::to_string(n);
          },
          "Text")
      .branch();
  Pipeline sut;
  sut.add(views.as_stage(), "Views").parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({2, 3, 4}), 3U);
  EXPECT_EQ(read_all<Both>(sut, 2), (std::vector<Both>{{20, "2"}, {40, "4"}}));
  EXPECT_TRUE(sut.drain(kDeadline));
  ASSERT_EQ(sut.dead_letters().size(), 1U);
  EXPECT_EQ(sut.dead_letters()[0].stage, "MainPipeline__Views__Text");
}

TEST(BranchesTest, TwoOutputsOfAZippedBranchAreAnErrorOfItsStage) {
  Pipeline views;
  views.add(tenfold, "Tens")
      .add(
          [](int n, Emitter<int>& out) {
            for (int i = 0; i < n; ++i) {
              out(n);
            }
          },
          "Times")
      .branch();
  Pipeline sut;
  sut.add(views.as_stage(), "Views").parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({1, 2}), 2U);
  EXPECT_EQ((read_all<std::tuple<int, int>>(sut, 1)), (std::vector<std::tuple<int, int>>{{10, 1}}));
  EXPECT_TRUE(sut.drain(kDeadline));
  ASSERT_EQ(sut.dead_letters().size(), 1U);
  EXPECT_TRUE(contains(sut.dead_letters()[0].reason, "a second output for one input"));
}

TEST(BranchesTest, KilledAgainAndAgainNothingIsLostOrDoubled) {
  Pipeline views = two_views(Join::zip);
  Pipeline sut;
  sut.add(views.as_stage(), "Views", {.replicas = 2})
      .add([](const Both& both) { return std::get<0>(both); }, "Left")
      .parallelize(kAllResults);
  const std::jthread killer = kill_in_turn(sut);
  const std::jthread feeder([&] { feed(sut); });
  const std::vector<int> results = read_all<int>(sut, kItems);
  for (int n = 0; n < kItems; ++n) {
    ASSERT_EQ(results[static_cast<std::size_t>(n)], 10 * n);
  }
}

/// What the call of parallelize() says of a pipeline with this member.
std::string refusal(PipelineStage member, const std::function<void(Pipeline&)>& more = {}) {
  Pipeline sut;
  sut.add(std::move(member), "Views");
  if (more) {
    more(sut);
  }
  return message_of<PipelineInitiationError>([&] { sut.parallelize(); });
}

TEST(BranchesTest, AMismatchOfTypesIsRefusedWithBothNames) {
  EXPECT_TRUE(contains(refusal(two_views(Join::zip).as_stage(),
                               [](Pipeline& sut) { sut.add([](const std::tuple<int, int>&) { return 1; }, "Sum"); }),
                       "MainPipeline__Views__Tens and MainPipeline__Views__Text gives items of type tuple<int32, "
                       "string>, but stage MainPipeline__Sum takes tuple<int32, int32>"));
  Pipeline sut;
  sut.add(tenfold, "Tens").add(text, "Text");
  sut.branch();
  EXPECT_TRUE(contains(message_of<PayloadError>([&] { (void)sut.get_results<int>(); }), "tuple<int32, string>"));
  EXPECT_TRUE(contains(message_of<PayloadError>([&] { (void)sut.forward(std::string("a")); }), "int32"));
}

TEST(BranchesTest, BranchesAtTheEntranceTakeItemsOfOneType) {
  Pipeline sut;
  sut.add(tenfold, "Tens").add([](const std::string& line) { return static_cast<int>(line.size()); }, "Length");
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { sut.branch({.join = Join::merge}); }),
                       "stage MainPipeline__Tens takes items of type int32, but stage MainPipeline__Length, which gets "
                       "the same items, takes string"));
}

TEST(BranchesTest, BranchesThatAreMergedGiveItemsOfOneType) {
  Pipeline sut;
  sut.add(tenfold, "Tens").add(text, "Text");
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { sut.branch({.join = Join::merge}); }),
                       "branches that are merged must give items of one type"));
}

TEST(BranchesTest, ASerialPipelineWithASinkMayBeATap) {
  const Shared<Taken> taken;
  Pipeline row;
  row.add([](int n) { return n + 1; }, "Up").sink([taken](int n) { taken->sum += n; });
  row.serialize();
  Pipeline taps;
  taps.add(row.as_stage(), "Row").branch({.join = Join::none});
  Pipeline sut;
  sut.add(taps.as_stage(), "Taps").add(tenfold, "Tens").parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all({1, 2, 3}), 3U);
  EXPECT_EQ(read_all<int>(sut, 3), (std::vector<int>{10, 20, 30}));
  EXPECT_TRUE(sut.drain(kDeadline));
  EXPECT_EQ(taken->sum, 9);
}

TEST(BranchesTest, WhatCannotBeIsRefusedWithASentence) {
  Pipeline one;
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { one.add(tenfold, "Tens").branch(); }),
                       "found one branch, expected at least two"));
  Pipeline no_sink;
  EXPECT_TRUE(
      contains(message_of<PipelineInitiationError>([&] { no_sink.add(tenfold, "Tens").branch({.join = Join::none}); }),
               "expected a sink at the end of each branch"));
  const Shared<Taken> taken;
  EXPECT_TRUE(contains(refusal(tap(taken)), "a sink"));
  Pipeline taps;
  taps.add(tap(taken), "All").branch({.join = Join::none});
  Pipeline sut;
  sut.add(taps.as_stage(), "Taps", {.replicas = 2});
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { sut.parallelize(); }), "there is a sink in it"));
}

}  // namespace
}  // namespace pystream::test
