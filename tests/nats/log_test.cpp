#include <gtest/gtest.h>

#include <map>

#include "storm.hpp"

namespace pystream::test {
namespace {

using nats::broken_rule;
using nats::Rule;

constexpr LogFaults kEverything{
    .lost_request = 60, .lost_reply = 80, .late = 80, .unreachable = 40, .killed = 25, .capacity = 12};

/// A rule is broken for the length of a test.
class Broken {
 public:
  explicit Broken(Rule rule) { broken_rule = rule; }
  ~Broken() { broken_rule = Rule::none; }
  Broken(const Broken&) = delete;
  Broken& operator=(const Broken&) = delete;
};

/// True if one of many storms gives something else than it should, or an error.
bool is_seen(const StormOptions& options, std::string* error = nullptr) {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    const StormResult result = storm(seed, options);
    if (!result.all_finished || result.kept != expected_outputs(options.count)) {
      if (error != nullptr) {
        *error = result.error;
      }
      return true;
    }
  }
  return false;
}

TEST(LogStormTest, WithoutFaultsTheOutputIsExact) {
  const StormResult result = storm(1, {});
  EXPECT_EQ(result.error, "");
  EXPECT_TRUE(result.all_finished);
  EXPECT_EQ(result.kept, expected_outputs(40));
}

TEST(LogStormTest, TwinsAndKillsAtEachVerbChangeNothing) {
  std::uint64_t deaths = 0;
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    const StormResult result = storm(seed, {.faults = kEverything});
    ASSERT_EQ(result.error, "") << "seed " << seed;
    ASSERT_TRUE(result.all_finished) << "seed " << seed;
    ASSERT_EQ(result.kept, expected_outputs(40)) << "seed " << seed;
    deaths += result.deaths;
  }
  EXPECT_GT(deaths, 1000U);
}

/// Two writers that go on behind different parcels of the same number may leave a gap, which no comparison of numbers
/// can see. Then the reader stops there.
TEST(LogStormTest, ALogThatGoesBackGivesNoWrongItem) {
  std::uint32_t finished = 0;
  const std::vector<Kept> expected = expected_outputs(40);
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    const StormResult result = storm(seed, {.keep = 1'000'000, .goes_back = true, .steps = 2000});
    ASSERT_LE(result.kept.size(), expected.size()) << "seed " << seed;
    ASSERT_TRUE(std::equal(result.kept.begin(), result.kept.end(), expected.begin())) << "seed " << seed;
    ASSERT_TRUE(!result.all_finished || result.kept.size() == expected.size()) << "seed " << seed;
    finished += result.all_finished ? 1 : 0;
  }
  EXPECT_GT(finished, 100U);
}

// Each rule left out is seen.

TEST(LogRuleTest, SeveralParcelsInFlightAreSeen) {
  const Broken rule(Rule::one_in_flight);
  EXPECT_TRUE(is_seen({.faults = {.lost_request = 60, .lost_reply = 80, .late = 80}}));
}

TEST(LogRuleTest, BlindResendingIsSeen) {
  const Broken rule(Rule::look_before_resending);
  EXPECT_TRUE(is_seen({.faults = {.lost_reply = 80}}));
}

TEST(LogRuleTest, TrustInNumbersAloneIsSeen) {
  const Broken rule(Rule::count_items);
  EXPECT_TRUE(is_seen({.faults = {.killed = 25}}));
}

TEST(LogRuleTest, AReleasedLastParcelIsSeen) {
  const auto where_a_twin_begins = [] {
    std::mt19937 random(1);
    FakeStream input(random);
    FakeStream output(random);
    NoPatience patience([] {});
    FakeLog in(input);
    FakeLog out(output);
    LogWriter first(in, patience, {});
    first.start({}, false);
    LogReader reader(in, &out, patience, {});
    LogWriter writer(out, patience, {});
    reader.start({});
    writer.start({}, false);
    for (std::uint64_t i = 0; i < 3; ++i) {
      first.add({.sequence = i, .bytes = bytes_of("x")});
      first.pass(i + 1);
      first.flush();
      ParcelItem item;
      while (reader.next(item, std::chrono::milliseconds(0)) == LogReader::Got::item) {
        writer.add(item);
      }
      writer.pass(i + 1);
      writer.flush_mark();
      reader.release(std::chrono::nanoseconds(1), std::chrono::nanoseconds(0));
    }
    LogWriter twin(in, patience, {});
    twin.start({}, false);
    return twin.out();
  };
  EXPECT_EQ(where_a_twin_begins(), (nats::Position{3, 0}));
  const Broken rule(Rule::keep_last_parcel);
  EXPECT_EQ(where_a_twin_begins(), nats::Position{});
}

TEST(LogRuleTest, AFullLogThatIsNotWaitedForIsSeen) {
  const Broken rule(Rule::wait_while_full);
  EXPECT_TRUE(is_seen({.faults = {.capacity = 3}}));
}

TEST(LogRuleTest, AGapThatATwinHasDoneIsSeen) {
  const Broken rule(Rule::ask_twin_for_gap);
  std::string error;
  EXPECT_TRUE(is_seen({.faults = {.killed = 25, .capacity = 4}}, &error));
  EXPECT_NE(error.find("input is gone"), std::string::npos) << error;
}

TEST(LogRuleTest, EarlyReleaseIsSeen) {
  // The output goes back to what was synced; the input is kept until then.
  const auto run = [](std::mt19937& random) {
    FakeStream input(random);
    FakeStream output(random);
    NoPatience patience([] {});
    FakeLog in(input);
    FakeLog out(output);
    LogWriter first(in, patience, {});
    first.start({}, false);
    for (std::uint64_t i = 0; i < 6; ++i) {
      first.add({.sequence = i, .bytes = bytes_of("x")});
      first.flush();
    }
    const auto read_on = [&](std::uint64_t until) {
      LogReader reader(in, &out, patience, {});
      LogWriter writer(out, patience, {});
      reader.start({reader.done().upto.sequence, 0});
      writer.start({}, false);
      ParcelItem item;
      while (writer.out().sequence < until && reader.next(item, std::chrono::milliseconds(0)) == LogReader::Got::item) {
        writer.add(item);
        writer.flush();
        reader.release(std::chrono::nanoseconds(1), std::chrono::nanoseconds(10));
      }
      return writer.out();
    };
    read_on(4);
    output.go_back();
    output.go_back();
    return read_on(5);
  };
  std::mt19937 random(1);
  EXPECT_EQ(run(random), (nats::Position{5, 1}));
  const Broken rule(Rule::release_late);
  EXPECT_THROW(run(random), nats::LogUnusable);
}

TEST(LogRuleTest, AHigherEpochEndsAWriter) {
  const auto epochs_of_twins = [] {
    std::mt19937 random(1);
    FakeStream stream(random);
    NoPatience patience([] {});
    FakeLog log(stream);
    LogWriter one(log, patience, {});
    LogWriter other(log, patience, {});
    one.start({}, true);
    one.add({.sequence = 0, .bytes = bytes_of("one")});
    one.flush();
    other.start({}, true);
    one.add({.sequence = 1, .bytes = bytes_of("one")});
    const std::string told = [&] {
      try {
        one.flush();
      } catch (const nats::TakenOver& fault) {
        return std::string(fault.what());
      }
      return std::string();
    }();
    EXPECT_EQ(told.empty(), broken_rule == Rule::obey_higher_epoch) << told;
    std::vector<std::uint64_t> epochs;
    for (const auto& [number, bytes] : stream.parcels()) {
      epochs.push_back(nats::decode_parcel(bytes).header.epoch);
    }
    return epochs;
  };
  EXPECT_EQ(epochs_of_twins(), (std::vector<std::uint64_t>{1, 1, 2}));
  const Broken rule(Rule::obey_higher_epoch);
  EXPECT_EQ(epochs_of_twins(), (std::vector<std::uint64_t>{1, 1, 2, 1}));
}

// Single cases.

class LogTest : public ::testing::Test {
 protected:
  std::mt19937 random_{1};
  FakeStream stream_{random_};
  FakeLog log_{stream_};
  NoPatience patience_{[] {}};

  std::string message_of_start(const nats::Identity& identity) {
    LogWriter writer(log_, patience_, identity);
    try {
      writer.start({}, false);
    } catch (const nats::LogUnusable& fault) {
      return fault.what();
    }
    return {};
  }
};

TEST_F(LogTest, APartOfAnotherPlanIsRefusedWithBothValues) {
  LogWriter writer(log_, patience_, {.item_type = "image", .plan_hash = "abc"});
  writer.start({}, false);
  writer.add({.sequence = 0, .bytes = bytes_of("x")});
  writer.flush();
  EXPECT_EQ(message_of_start({.item_type = "image", .plan_hash = "abc"}), "");
  const std::string hashes = message_of_start({.item_type = "image", .plan_hash = "xyz"});
  EXPECT_NE(hashes.find("\"xyz\" here and \"abc\" in the log"), std::string::npos) << hashes;
  const std::string types = message_of_start({.item_type = "bytes", .plan_hash = "abc"});
  EXPECT_NE(types.find("\"bytes\" here and \"image\" in the log"), std::string::npos) << types;
}

TEST_F(LogTest, AVanishedLastParcelIsAnError) {
  LogWriter writer(log_, patience_, {});
  writer.start({}, false);
  writer.add({.sequence = 0, .bytes = bytes_of("x")});
  writer.flush();
  log_.release(1);
  EXPECT_NE(message_of_start({}).find("holds no parcel"), std::string::npos) << message_of_start({});
}

TEST_F(LogTest, ALogThatLostWhatItAcknowledgedStopsItsWriter) {
  LogWriter writer(log_, patience_, {});
  writer.start({}, false);
  for (std::uint64_t i = 0; i < 3; ++i) {
    writer.add({.sequence = i, .bytes = bytes_of("x")});
    writer.flush();
  }
  stream_.go_back();
  writer.add({.sequence = 3, .bytes = bytes_of("x")});
  EXPECT_THROW(writer.flush(), nats::LogUnusable);
  EXPECT_EQ(stream_.last(), 2U);
}

TEST_F(LogTest, AWriterGoesOnBehindWhatItsPredecessorHandedOver) {
  LogWriter::Progress progress;
  {
    LogWriter writer(log_, patience_, {});
    writer.start({}, false);
    writer.add({.sequence = 0, .bytes = bytes_of("a")});
    writer.add({.sequence = 0, .bytes = bytes_of("b")});
    writer.flush();
    progress = writer.progress();
    writer.add({.sequence = 0, .bytes = bytes_of("c")});
    writer.add({.sequence = 1, .bytes = bytes_of("d")});
    writer.flush();  // and dies before it can say so
  }
  LogWriter writer(log_, patience_, {});
  writer.start(progress, false);
  for (const auto& [sequence, text] : std::vector<Kept>{{0, "c"}, {1, "d"}, {1, "e"}}) {
    writer.add({.sequence = sequence, .bytes = bytes_of(text)});
  }
  writer.end();
  LogReader reader(log_, nullptr, patience_, {});
  reader.start({});
  std::string all;
  ParcelItem item;
  while (reader.next(item, std::chrono::milliseconds(0)) == LogReader::Got::item) {
    all += text_of(item.bytes);
  }
  EXPECT_EQ(all, "abcde");
  EXPECT_EQ(reader.next(item, std::chrono::milliseconds(0)), LogReader::Got::end);
}

TEST_F(LogTest, ParcelsKeepTheirLimits) {
  LogWriter writer(log_, patience_, {}, {.items = 3, .bytes = 10});
  writer.start({}, false);
  const std::string four = "1234";
  const std::string twenty(20, 'x');
  for (std::uint64_t i = 0; i < 6; ++i) {
    writer.add({.sequence = i, .bytes = bytes_of(i == 4 ? twenty : four)});
  }
  writer.flush();
  std::vector<std::size_t> sizes;
  for (const auto& [number, bytes] : stream_.parcels()) {
    sizes.push_back(nats::decode_parcel(bytes).items.size());
  }
  EXPECT_EQ(sizes, (std::vector<std::size_t>{2, 2, 1, 1}));
}

TEST_F(LogTest, ItemsOutOfOrderAreRefused) {
  LogWriter writer(log_, patience_, {});
  writer.start({}, false);
  writer.add({.sequence = 5, .bytes = bytes_of("x")});
  EXPECT_THROW(writer.add({.sequence = 4, .bytes = bytes_of("x")}), Error);
}

}  // namespace
}  // namespace pystream::test
