#include "worker/run_lane.hpp"

#include <pystream/error.hpp>

#include "support/worker_rig.hpp"

namespace pystream::worker {
namespace {

using namespace pystream::test;
using Texts = std::vector<std::string>;

struct RecordAt {
  std::uint64_t sequence;
  std::int64_t entered_ns;
};

/// A stage of letters between two links, or in front of or behind one.
class RunLaneTest : public ::testing::Test {
 protected:
  explicit RunLaneTest(shm::LinkSize link = {.ring_bytes = 4096, .item_limit = 20'000})
      : spec_{.segments = {{}}, .link = link}, segment_(make_rig_segment(spec_)) {}

  RunLane& start(std::unique_ptr<Hosted> hosted) {
    hosted_ = std::move(hosted);
    monitor_.emplace(segment_.map_worker(1), -1);
    output_.emplace(segment_.map_producer(1));
    input_.emplace(segment_.map_consumer(0), 0);
    return lane_.emplace(*hosted_, *output_, *monitor_->end().page);
  }
  /// What has come out once everything kept is published.
  Texts published() {
    output_->commit({.inputs_done = 1});
    return records_of(segment_, 1);
  }

  RigSpec spec_;
  shm::Segment segment_;
  std::unique_ptr<Hosted> hosted_;
  std::optional<Monitor> monitor_;
  std::optional<shm::RingWriter> output_;
  std::optional<shm::RingReader> input_;
  std::optional<RunLane> lane_;
};

std::unique_ptr<Hosted> next_letter() {
  return typed<char, char>([](char in) { return static_cast<char>(in + 1); });
}

TEST_F(RunLaneTest, GivesEveryItemToTheStageInOneCall) {
  feed(segment_, 0, {"a", "b", "c"});
  RunLane& sut = start(next_letter());
  EXPECT_EQ(sut.collect(*input_, 64, kAll), 3U);  // and not the end mark
  sut.work();
  EXPECT_EQ(sut.keep(), 3U);
  EXPECT_EQ(published(), (Texts{"b", "c", "d"}));
}

TEST_F(RunLaneTest, TakesNoMoreThanItIsAllowed) {
  feed(segment_, 0, {"a", "b", "c"});
  RunLane& sut = start(next_letter());
  EXPECT_EQ(sut.collect(*input_, 2, kAll), 2U);
  EXPECT_EQ(sut.collect(*input_, 0, kAll), 0U);
}

TEST_F(RunLaneTest, StopsBeforeAnItemThatIsNotWanted) {
  feed(segment_, 0, {"a", "b", "c"});
  RunLane& sut = start(next_letter());
  EXPECT_EQ(sut.collect(*input_, 64, before(1)), 1U);
}

TEST_F(RunLaneTest, StopsBeforeAnItemOfAnotherSize) {
  feed(segment_, 0, {"a", "bb", "c"});
  RunLane& sut = start(next_letter());
  EXPECT_EQ(sut.collect(*input_, 64, kAll), 1U);
}

TEST_F(RunLaneTest, StopsBeforeADamagedHeader) {
  feed(segment_, 0, {"a", "b", "c"});
  RunLane& sut = start(next_letter());
  const shm::ProducerEnd neighbour = segment_.map_producer(0);
  neighbour.ring[shm::record_bytes(1)] ^= std::byte{1};  // the second one's number
  EXPECT_EQ(sut.collect(*input_, 64, kAll), 1U);
  input_->advance_items(1);
  EXPECT_THROW(input_->try_peek(), shm::LinkCorrupt);
}

TEST_F(RunLaneTest, ResultsKeepTheNumbersOfTheirItems) {
  feed(segment_, 0, {"a", "b", "c"});
  RunLane& sut = start(
      typed<std::optional<char>, char>([](char in) { return in == 'b' ? std::nullopt : std::optional<char>(in); }));
  ASSERT_EQ(sut.collect(*input_, 64, kAll), 3U);
  sut.work();
  EXPECT_EQ(sut.keep(), 2U);
  output_->commit({.inputs_done = 3});
  shm::RingReader reader(segment_.map_consumer(1), 0);
  EXPECT_EQ(reader.try_peek()->sequence, 0U);
  reader.advance();
  EXPECT_EQ(reader.try_peek()->sequence, 2U);
  EXPECT_EQ(test::text_of(*reader.try_peek()), "c");
}

TEST_F(RunLaneTest, ItsItemsEnteredTogether) {
  shm::RingWriter ring(segment_.map_producer(0));
  for (const RecordAt& at : {RecordAt{7, 100}, {8, 100}, {9, 101}}) {
    ASSERT_TRUE(put(ring, "a", {.sequence = at.sequence, .entered_ns = at.entered_ns}));
  }
  ring.commit({.inputs_done = 3});
  RunLane& sut = start(next_letter());
  ASSERT_EQ(sut.collect(*input_, 64, kAll), 2U);
  EXPECT_EQ(sut.entered_ns(), 100);
  sut.work();
  ASSERT_EQ(sut.keep(), 2U);
  output_->commit({.inputs_done = 2});
  shm::RingReader reader(segment_.map_consumer(1), 0);
  EXPECT_EQ(reader.try_peek()->entered_ns, 100);
}

TEST_F(RunLaneTest, PartsOfOneInputAreNoRun) {
  shm::RingWriter ring(segment_.map_producer(0));
  for (const std::uint64_t sequence : {7U, 7U, 8U}) {
    ASSERT_TRUE(put(ring, "a", {.sequence = sequence}));
  }
  ring.commit({.inputs_done = 2});
  RunLane& sut = start(next_letter());
  EXPECT_EQ(sut.collect(*input_, 64, kAll), 1U);
  input_->advance_items(1);
  EXPECT_EQ(sut.collect(*input_, 64, kAll), 2U);
}

TEST_F(RunLaneTest, WhatOneStageGaveIsARunForTheNext) {
  feed(segment_, 0, {"a", "b", "c", "d"});
  RunLane& sut = start(
      typed<std::optional<char>, char>([](char in) { return in == 'b' ? std::nullopt : std::optional<char>(in); }));
  ASSERT_EQ(sut.collect(*input_, 64, kAll), 4U);
  sut.work();
  ASSERT_EQ(sut.keep(), 3U);
  output_->commit({.inputs_done = 4});
  shm::RingReader reader(segment_.map_consumer(1), 0);
  std::string seen;
  const std::unique_ptr<Hosted> sink = typed<char, char>([&](char in) {
    seen += in;
    return in;
  });
  const shm::Segment behind = make_rig_segment(spec_);
  shm::RingWriter out(behind.map_producer(1));
  RunLane next(*sink, out, *monitor_->end().page);
  ASSERT_EQ(next.collect(reader, 64, before(3)), 2U);
  next.work();
  EXPECT_EQ(seen, "ac");
  EXPECT_EQ(next.done(), 1U) << "the second is the last that was named";
  reader.advance_items(next.keep());
  EXPECT_EQ(reader.try_peek()->sequence, 3U);
}

TEST_F(RunLaneTest, WhatWasDoneBeforeAnExceptionIsKept) {
  feed(segment_, 0, {"a", "b", "c"});
  RunLane& sut = start(typed<char, char>([](char in) { return in == 'b' ? throw Error("b") : in; }));
  ASSERT_EQ(sut.collect(*input_, 64, kAll), 3U);
  EXPECT_THROW(sut.work(), Error);
  EXPECT_EQ(sut.done(), 1U);
  EXPECT_EQ(sut.keep(), 1U);
  EXPECT_EQ(published(), Texts{"a"});
}

TEST_F(RunLaneTest, TheItemInWorkIsNamed) {
  feed(segment_, 0, {"a", "b", "c"});
  std::vector<std::uint64_t> named;
  RunLane& sut = start(typed<char, char>([&](char in) {
    named.push_back(monitor_->end().page->number.load());
    return in;
  }));
  ASSERT_EQ(sut.collect(*input_, 64, kAll), 3U);
  sut.work();
  EXPECT_EQ(named, (std::vector<std::uint64_t>{0, 1, 2}));
}

TEST_F(RunLaneTest, AStageThatChangesItemsInPlace) {
  feed(segment_, 0, {"a", "b"});
  const auto grow = [](char& letter) { ++letter; };
  RunLane& sut = start(std::make_unique<detail::HostedInPlace<char, decltype(grow)>>(grow));
  ASSERT_EQ(sut.collect(*input_, 64, kAll), 2U);
  sut.work();
  sut.keep();
  EXPECT_EQ(published(), (Texts{"b", "c"}));
}

class Countdown final : public Source<char> {
 public:
  explicit Countdown(int left) : left_(left) {}

 private:
  std::optional<char> next() override {
    return left_ > 0 ? std::optional(static_cast<char>('0' + left_--)) : std::nullopt;
  }
  int left_;
};

TEST_F(RunLaneTest, ASourceThatGivesLessHasEnded) {
  RunLane& sut = start(detail::host(std::make_unique<Countdown>(2)));
  EXPECT_EQ(sut.collect(0, 0, 5, kAll), 5U);
  sut.work();
  EXPECT_EQ(sut.keep(), 2U);
  EXPECT_EQ(published(), (Texts{"2", "1"}));
}

struct FourItems : RunLaneTest {
  FourItems() : RunLaneTest({.ring_bytes = 4096, .item_limit = 20'000, .items_limit = 4}) {}
};

TEST_F(FourItems, TakesWhatHasRoomBehindTheStage) {
  RunLane& sut = start(detail::host(std::make_unique<Countdown>(9)));
  EXPECT_EQ(sut.collect(0, 0, 64, kAll), 4U);
  sut.work();
  sut.keep();
  EXPECT_EQ(sut.collect(4, 0, 64, kAll), 0U);
  EXPECT_EQ(published(), (Texts{"9", "8", "7", "6"}));
  EXPECT_EQ(sut.collect(4, 0, 64, kAll), 0U) << "published, and not read";
}

TEST(SegmentRunnerRunTest, AnItemThatThrowsInARunIsADeadLetterAndIsCalledOnce) {
  std::string called;
  RigSpec spec{.segments = {{.make =
                                 [&] {
                                   std::vector<std::unique_ptr<Hosted>> all;
                                   all.push_back(typed<char, char>([&](char in) {
                                     called += in;
                                     return in == 'c' ? throw Error("no c") : in;
                                   }));
                                   return all;
                                 },
                             .in_runs = true}}};
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b", "c", "d", "e"});
  RiggedWorker sut(segment, spec);
  sut.row().run();
  EXPECT_EQ(called, "abcde");
  EXPECT_EQ(sut.letters.reasons, Texts{"no c"});
  EXPECT_EQ(sut.letters.sequences, std::vector<std::uint64_t>{2});
  EXPECT_EQ(sut.letters.items, Texts{"c"});
  EXPECT_EQ(records_of(segment, 1), (Texts{"a", "b", "d", "e", "$"}));
  const shm::HostedStats& stats = sut.monitor().end().stats[0];
  EXPECT_EQ(stats.items.load(), 5U);
  EXPECT_EQ(stats.errors.load(), 1U);
}

}  // namespace
}  // namespace pystream::worker
