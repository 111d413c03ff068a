#include <unistd.h>

#include <map>
#include <numeric>
#include <set>

#include "api/api_support.hpp"

/// Stages and pipelines that run in several replicas.
namespace pystream::test {
namespace {

constexpr int kItems = 2'000;

std::vector<int> first_numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

StageOptions replicas(std::uint32_t count) {
  StageOptions options;
  options.replicas = count;
  return options;
}

/// Forwards the first numbers from a thread of its own, and gives the results.
std::vector<int> results_of(Pipeline& pipeline, std::size_t expected) {
  std::jthread feeder([&] {
    for (int n = 0; n < kItems; ++n) {
      EXPECT_TRUE(pipeline.forward(n));
    }
  });
  return read_all<int>(pipeline, expected);
}

TEST(ReplicasTest, ResultsComeOutInTheOrderOfTheItems) {
  Pipeline sut;
  sut.add([](int n) { return n; }, "Pass", replicas(3)).parallelize(kAllResults);
  EXPECT_EQ(results_of(sut, kItems), first_numbers(kItems));
}

TEST(ReplicasTest, EachIsAProcessOfItsOwnAndTakesItsShare) {
  Pipeline sut;
  sut.add([](int) { return static_cast<int>(::getpid()); }, "Pid", replicas(4)).parallelize(kAllResults);
  const std::vector<int> pids = results_of(sut, kItems);
  const std::vector<int> of_replicas(pids.begin(), pids.begin() + 4);
  EXPECT_EQ(std::set<int>(of_replicas.begin(), of_replicas.end()).size(), 4U);
  for (std::size_t i = 0; i < pids.size(); ++i) {
    ASSERT_EQ(pids[i], of_replicas[i % 4]) << "item " << i;
  }
}

TEST(ReplicasTest, EachHasAStateOfItsOwn) {
  Pipeline sut;
  sut.add([count = 0](int) mutable { return count++; }, "Count", replicas(2)).parallelize(kAllResults);
  const std::vector<int> counts = results_of(sut, kItems);
  for (int i = 0; i < kItems; ++i) {
    ASSERT_EQ(counts[static_cast<std::size_t>(i)], i / 2);
  }
}

TEST(ReplicasTest, FiltersAndSeveralOutputsKeepTheOrder) {
  Pipeline sut;
  sut.add([](int n) { return n % 3 == 0 ? std::optional(n) : std::nullopt; }, "Thirds", replicas(3))
      .add(
          [](int n, Emitter<int>& out) {
            out(n);
            out(-n);
          },
          "Both", replicas(2))
      .parallelize(kAllResults);
  std::vector<int> expected;
  for (int n = 0; n < kItems; n += 3) {
    expected.insert(expected.end(), {n, -n});
  }
  EXPECT_EQ(results_of(sut, expected.size()), expected);
}

TEST(ReplicasTest, APipelineRunsInReplicasToo) {
  Pipeline inner;
  inner.add([](int n) { return n + 1; }).add([](int n) { return n - 1; }, "Back", replicas(2)).parallelize();
  Pipeline row;
  row.add(inner.as_stage(), "Inner", {.replicas = 2}).add([](int n) { return n; }).serialize();
  Pipeline sut;
  sut.add(row.as_stage(), "Row", {.replicas = 2}).parallelize(kAllResults);
  EXPECT_EQ(results_of(sut, kItems), first_numbers(kItems));
}

TEST(ReplicasTest, ASerialPipelineOfThisProcessHasReplicasInItsChildren) {
  Pipeline inner;
  inner.add([](int n) { return n; }, "Pass", replicas(2)).parallelize();
  Pipeline sut;
  sut.add(inner.as_stage(), "Inner", {.replicas = 2}).serialize({.results = Results::all, .block_output = true});
  for (int n = 0; n < 200; ++n) {
    ASSERT_TRUE(sut.forward(n));
    ASSERT_EQ(sut.get_results<int>(), n);
  }
}

TEST(ReplicasTest, ItemsThatAreForwardedTogetherAreDealtOneByOne) {
  Pipeline sut;
  sut.add([count = 0](int) mutable { return count++; }, "Count", replicas(2)).parallelize(kAllResults);
  EXPECT_EQ(sut.forward_all(first_numbers(100)), 100U);
  EXPECT_EQ(read_all<int>(sut, 100).back(), 49);
}

TEST(ReplicasTest, KilledAgainAndAgainNothingIsLostOrDoubled) {
  Pipeline sut;
  sut.add([](int n) { return n; }, "Pass", replicas(3)).parallelize(kAllResults);
  const std::jthread killer = kill_in_turn(sut);
  EXPECT_EQ(results_of(sut, kItems), first_numbers(kItems));
}

TEST(ReplicasTest, AnItemThatKillsIsGivenUpAndTheOthersComeOut) {
  Pipeline sut;
  sut.add(
         [](int n) {
           if (n == 7) {
             ::raise(SIGSEGV);
           }
           return n;
         },
         "Fragile", replicas(2))
      .parallelize(kAllResults);
  std::vector<int> expected = first_numbers(kItems);
  expected.erase(expected.begin() + 7);
  EXPECT_EQ(results_of(sut, expected.size()), expected);
  EXPECT_TRUE(sut.drain(kDeadline));
  const std::vector<DeadLetter> letters = sut.dead_letters();
  ASSERT_EQ(letters.size(), 1U);
  EXPECT_EQ(letters[0].sequence, 7U);
  EXPECT_EQ(letters[0].item<int>(), 7);
}

StageOptions replicas_by(std::uint32_t count, Share share) {
  StageOptions options = replicas(count);
  options.share = std::move(share);
  return options;
}

TEST(ReplicasTest, ByKeyEachHasAllItemsOfItsKeysInTheirOrder) {
  struct Seen {
    int number = 0;
    int before = -1;  ///< the last one of the same key that this replica saw
    int pid = 0;
  };
  Pipeline sut;
  sut.add(
         [last = std::map<int, int>()](int n) mutable {
           const auto [known, is_new] = last.emplace(n % 7, -1);
           return Seen{.number = n, .before = std::exchange(known->second, n), .pid = static_cast<int>(::getpid())};
         },
         "Last", replicas_by(3, Share::key([](const int& n) { return n % 7; })))
      .parallelize(kAllResults);
  std::jthread feeder([&] {
    for (int n = 0; n < kItems; ++n) {
      EXPECT_TRUE(sut.forward(n));
    }
  });
  const std::vector<Seen> all = read_all<Seen>(sut, kItems);
  std::set<int> pids;
  for (int n = 0; n < kItems; ++n) {
    const Seen& seen = all[static_cast<std::size_t>(n)];
    ASSERT_EQ(seen.number, n) << "the order of the items is kept";
    ASSERT_EQ(seen.before, n < 7 ? -1 : n - 7) << "item " << n;
    pids.insert(seen.pid);
  }
  EXPECT_GT(pids.size(), 1U);
}

TEST(ReplicasTest, AKeyMayBeATextOrLieInTheBytes) {
  const std::vector<Share> shares{
      Share::key([](const std::string& text) { return text.substr(0, 1); }),
      Share::key([](std::span<const std::byte> bytes) { return bytes.empty() ? 0 : static_cast<int>(bytes.front()); })};
  for (const Share& share : shares) {
    Pipeline sut;
    sut.add([](const std::string& text) { return text + "!"; }, "Shout", replicas_by(2, share))
        .parallelize(kAllResults);
    for (const char* text : {"a1", "b1", "", "a2"}) {
      EXPECT_TRUE(sut.forward(std::string(text)));
    }
    EXPECT_EQ(read_all<std::string>(sut, 4), (std::vector<std::string>{"a1!", "b1!", "!", "a2!"}));
  }
}

TEST(ReplicasTest, ALeastLoadedOneTakesWhatABusyOneWouldHaveTaken) {
  Pipeline sut;
  sut.add(
         [](int n) {
           if (n == 0) {
             std::this_thread::sleep_for(std::chrono::milliseconds(300));
           }
           return static_cast<int>(::getpid());
         },
         "Pid", replicas_by(2, Share::least_loaded()))
      .parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(0));
  for (int n = 1; n < 40; ++n) {
    EXPECT_TRUE(sut.forward(n));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // so that the other one can be done with it
  }
  const std::vector<int> pids = read_all<int>(sut, 40);
  EXPECT_LT(std::count(pids.begin(), pids.end(), pids.front()), 20) << "in turn it would have had half of them";
}

TEST(ReplicasTest, KilledAgainAndAgainItemsByKeyStayExact) {
  for (const Share& share : {Share::least_loaded(), Share::key([](const int& n) { return n % 5; })}) {
    Pipeline sut;
    sut.add([](int n) { return n; }, "Pass", replicas_by(3, share)).parallelize(kAllResults);
    const std::jthread killer = kill_in_turn(sut);
    EXPECT_EQ(results_of(sut, kItems), first_numbers(kItems));
  }
}

TEST(ReplicasTest, AKeyThatThrowsIsAnErrorOfTheStageInFront) {
  Pipeline sut;
  sut.add([](int n) { return n; }, "Before", {.on_error = OnError::skip})
      .add([](int n) { return n; }, "Pass",
           replicas_by(
               2, Share::key([](const int& n) { return n != 3 ? n : throw std::runtime_error("three has no key"); })))
      .parallelize(kAllResults);
  for (int n = 0; n < 6; ++n) {
    EXPECT_TRUE(sut.forward(n));
  }
  EXPECT_EQ(read_all<int>(sut, 5), (std::vector<int>{0, 1, 2, 4, 5}));
}

TEST(ReplicasTest, AKeyThatThrowsComesOutOfForward) {
  Pipeline sut;
  sut.add([](int n) { return n; }, "Pass",
          replicas_by(
              2, Share::key([](const int& n) { return n != 3 ? n : throw std::runtime_error("three has no key"); })))
      .parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(1));
  EXPECT_THROW(static_cast<void>(sut.forward(3)), std::runtime_error);
  EXPECT_TRUE(sut.forward(4));
  EXPECT_EQ(read_all<int>(sut, 2), (std::vector<int>{1, 4}));
}

TEST(ReplicasTest, KeysOfOtherItemsAreRefused) {
  Pipeline sut;
  sut.add([](int n) { return static_cast<double>(n); }, "Before")
      .add([](double n) { return n; }, "Pass", replicas_by(2, Share::key([](const int& n) { return n; })));
  EXPECT_EQ(
      message_of<PipelineInitiationError>([&] { sut.parallelize(); }),
      "the replicas of Pass share items of type int32 by their key, but those of stage MainPipeline__Before are of "
      "type float64; change one of them");
}

TEST(ReplicasTest, StatusNamesEach) {
  Pipeline sut;
  sut.add([](int n) { return n; }, "Pass", replicas(2)).parallelize(kAllResults);
  const PipelineStatus status = sut.status();
  ASSERT_EQ(status.stages.size(), 2U);
  EXPECT_EQ(status.stages[0].key, "MainPipeline__Pass#1");
  EXPECT_EQ(status.stages[1].key, "MainPipeline__Pass#2");
}

TEST(ReplicasTest, WhereThereCanBeNoneTheyAreRefused) {
  const auto refusal = [](const std::function<void(Pipeline&)>& build) {
    Pipeline sut;
    return message_of<PipelineInitiationError>([&] {
      build(sut);
      sut.parallelize();
    });
  };
  const auto pass = [](int n) { return n; };
  EXPECT_TRUE(contains(refusal([&](Pipeline& sut) { sut.add(pass, "Pass", replicas(0)); }),
                       "stage MainPipeline__Pass: found 0 replicas, expected between 1 and 64 replicas"));
  EXPECT_TRUE(contains(refusal([&](Pipeline& sut) {
                         Pipeline row;
                         row.add(pass, "Pass", replicas(2)).serialize();
                         sut.add(row.as_stage(), "Row");
                       }),
                       "found 2 replicas, expected no replicas here"));
  EXPECT_TRUE(contains(refusal([&](Pipeline& sut) {
                         sut.source([]() -> std::optional<int> { return {}; }, "Numbers", replicas(2)).add(pass);
                       }),
                       "a pipeline has one source and one sink"));
}

TEST(ReplicasTest, ALinkToReplicasDoesNotDropTheOldest) {
  Pipeline sut;
  sut.add([](int n) { return n; }, "Pass", replicas(2));
  ParallelOptions options;
  options.overflow = Overflow::drop_oldest;
  EXPECT_TRUE(
      contains(message_of<PipelineInitiationError>([&] { sut.parallelize(options); }),
               "found Overflow::drop_oldest, expected \"block\" or \"drop_newest\" in front of replicas and branches"));
}

TEST(ReplicasTest, TheNewestResultIsWhatWasPublishedLast) {
  Pipeline sut;
  sut.add([](int n) { return n; }, "Pass", replicas(2))
      .parallelize({.block_output = true, .output_timeout = kDeadline});
  for (int n = 0; n < 100; ++n) {
    ASSERT_TRUE(sut.forward(n));
  }
  ASSERT_TRUE(sut.drain(kDeadline));
  EXPECT_EQ(sut.get_results<int>(), 99);
}

}  // namespace
}  // namespace pystream::test
