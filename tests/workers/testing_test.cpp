#include <unistd.h>

#include <chrono>
#include <csignal>
#include <map>
#include <thread>

#include "support/stage_driver.hpp"

namespace pystream::test {
namespace {

using Texts = std::vector<std::string>;

std::string number(std::uint64_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
std::string small_number(std::uint32_t value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

TEST(AddTest, AddsToTheFirstEightBytes) {
  auto sut = make_stage("test.add", {{"n", 5}});
  EXPECT_EQ(answers(*sut, number(37)), Texts{number(42)});
  EXPECT_EQ(answers(*sut, number(1) + "rest"), Texts{number(6) + "rest"});
  EXPECT_EQ(answers(*make_stage("test.add", {{"n", -1}}), number(1)), Texts{number(0)});
}

TEST(AddTest, ShorterItemsPass) {
  auto sut = make_stage("test.add");
  CollectingOutput out;
  feed(*sut, "short", out);
  feed(*sut, "", out);
  EXPECT_EQ(out.texts(), (Texts{"short", ""}));
  EXPECT_TRUE(out.items().front().forwarded);
}

TEST(TimesTest, MultipliesAndAddsOne) {
  EXPECT_EQ(answers(*make_stage("test.times", {{"n", 5}}), number(4)), Texts{number(21)});
}

TEST(WithoutMultiplesTest, FiltersThem) {
  auto sut = make_stage("test.without_multiples", {{"n", 3}});
  EXPECT_EQ(answers(*sut, number(6)), Texts{});
  EXPECT_EQ(answers(*sut, number(7)), Texts{number(7)});
}

TEST(MixTest, IsDeterministicAndKeepsTheSize) {
  const std::string item(1'000, 'x');
  const Texts once = answers(*make_stage("test.mix", {{"key", 3}}), item);
  EXPECT_EQ(once, answers(*make_stage("test.mix", {{"key", 3}}), item));
  EXPECT_EQ(once.front().size(), item.size());
  EXPECT_NE(once.front(), item);
  EXPECT_EQ(answers(*make_stage("test.mix"), ""), Texts{""});
}

TEST(MixTest, OrderAndKeyMatter) {
  auto one = make_stage("test.mix", {{"key", 1}});
  auto two = make_stage("test.mix", {{"key", 2}});
  const std::string item = "some item";
  EXPECT_NE(answers(*one, item), answers(*two, item));
  EXPECT_NE(answers(*two, answers(*one, item).front()), answers(*one, answers(*two, item).front()));
}

TEST(SizesTest, GivesEverySizeTheLargerTheFewer) {
  std::map<std::size_t, int> counts;
  for (const std::string& item : run_source(*make_stage("test.sizes", {{"count", 3'000}}))) {
    ++counts[item.size()];
  }
  EXPECT_EQ(counts,
            (std::map<std::size_t, int>{{0, 900}, {1, 900}, {64, 900}, {4'096, 297}, {1 << 20, 2}, {16 << 20, 1}}));
}

TEST(SizesTest, GoesOnAtItsCursor) {
  auto whole = make_stage("test.sizes", {{"count", 30}});
  const auto all = run_source(*whole);
  auto first = make_stage("test.sizes", {{"count", 30}});
  run_source(*first, 10);
  auto successor = make_stage("test.sizes", {{"count", 30}});
  restart_from(*successor, saved_cursor(*first));
  EXPECT_EQ(run_source(*successor), (Texts(all.begin() + 10, all.end())));
}

TEST(FilterTest, DropsByRemainder) {
  auto sut = make_stage("test.filter", {{"n", 3}, {"r", 1}});
  CollectingOutput out;
  for (std::uint64_t i = 0; i < 6; ++i) {
    feed(*sut, std::to_string(i), out, {.sequence = i});
  }
  EXPECT_EQ(out.texts(), (Texts{"0", "2", "3", "5"}));
  EXPECT_THROW(make_stage("test.filter", {{"n", 0}}), InvalidParam);
}

TEST(RepeatTest, NumbersItsCopies) {
  EXPECT_EQ(answers(*make_stage("test.repeat", {{"n", 3}}), "x"),
            (Texts{"x" + small_number(0), "x" + small_number(1), "x" + small_number(2)}));
  EXPECT_EQ(answers(*make_stage("test.repeat", {{"n", 0}}), "x"), Texts{});
  EXPECT_EQ(answers(*make_stage("test.repeat", {{"n", 1}}), ""), Texts{small_number(0)});
}

TEST(CountTest, GoesOnFromItsCheckpoint) {
  auto first = make_stage("test.count");
  EXPECT_EQ(answers(*first, ""), Texts{number(1)});
  EXPECT_EQ(answers(*first, "b"), Texts{"b" + number(2)});
  ASSERT_NE(first->checkpoint(), nullptr);
  const auto saved = first->checkpoint()->saved_state();
  const std::vector<std::byte> committed(saved.begin(), saved.end());
  answers(*first, "not committed");
  auto sut = make_stage("test.count");
  sut->checkpoint()->restore_state(committed);
  EXPECT_EQ(answers(*sut, ""), Texts{number(3)});
  EXPECT_EQ(stage_type("test.count").checkpoint_bytes, sizeof(std::uint64_t));
}

TEST(CrashTest, PassesOtherItemsAndLaterAttempts) {
  auto sut = make_stage("test.crash", {{"how", "throw"}, {"sequence", 3}, {"attempts", 2}});
  EXPECT_EQ(answers(*sut, "a", {.sequence = 2}), Texts{"a"});
  EXPECT_THROW(answers(*sut, "a", {.sequence = 3, .attempt = 1}), Error);
  EXPECT_THROW(answers(*sut, "a", {.sequence = 3, .attempt = 2}), Error);
  EXPECT_EQ(answers(*sut, "a", {.sequence = 3, .attempt = 3}), Texts{"a"});
}

TEST(CrashTest, EveryRepeatsIt) {
  auto sut = make_stage("test.crash", {{"how", "throw"}, {"sequence", 1}, {"every", 4}});
  for (std::uint64_t i = 0; i < 10; ++i) {
    const bool failed = !message_of([&] { answers(*sut, "a", {.sequence = i}); }).empty();
    EXPECT_EQ(failed, i % 4 == 1) << i;
  }
}

TEST(CrashTest, UnknownWayIsRefused) {
  EXPECT_THROW(make_stage("test.crash", {{"how", "boom"}}), InvalidParam);
}

using CrashDeathTest = ::testing::Test;

void crash(const char* how) {
  answers(*make_stage("test.crash", {{"how", how}}), "x");
}

TEST(CrashDeathTest, DiesAsAsked) {
  EXPECT_EXIT(crash("abort"), ::testing::KilledBySignal(SIGABRT), "");
  EXPECT_EXIT(crash("kill"), ::testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(crash("exit"), ::testing::ExitedWithCode(3), "");
  EXPECT_DEATH(crash("segv"), "");
}

TEST(CrashDeathTest, HangsUntilKilled) {
  EXPECT_EXIT(
      {
        ::alarm(1);
        crash("hang");
      },
      ::testing::KilledBySignal(SIGALRM), "");
}

TEST(SleepStartTest, TakesItsTimeToStart) {
  const auto start = std::chrono::steady_clock::now();
  auto sut = make_stage("test.sleep_start", {{"time", 30'000'000}});
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(30));
  EXPECT_EQ(answers(*sut, "x"), Texts{"x"});
}

}  // namespace
}  // namespace pystream::test
