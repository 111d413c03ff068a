#include "worker/batch_call.hpp"

#include <chrono>
#include <limits>
#include <pystream/error.hpp>
#include <thread>

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
class BatchCallTest : public ::testing::Test {
 protected:
  explicit BatchCallTest(shm::LinkSize link = {.ring_bytes = 4096, .item_limit = 20'000})
      : spec_{.segments = {{}}, .link = link}, segment_(make_rig_segment(spec_)) {}

  BatchCall& start(std::unique_ptr<StageAdapter> stage) {
    stage_ = std::move(stage);
    monitor_.emplace(segment_.map_worker(1), -1);
    output_.emplace(segment_.map_producer(1));
    input_.emplace(segment_.map_consumer(0), 0);
    return call_.emplace(*stage_, *output_, *monitor_, late_ns_);
  }
  /// How many of the items that are there are taken.
  std::uint32_t collect(std::uint32_t limit = shm::kMostInRun) { return collect(limit, kAll); }
  template <class Ahead>
  std::uint32_t collect(std::uint32_t limit, const Ahead& ahead) {
    return call_->collect(*input_, limit, ahead) ? call_->reserve() : 0;
  }
  /// Of a source's.
  std::uint32_t collect_from(std::uint64_t next, std::uint32_t limit) {
    return call_->collect(next, 0, limit, kAll) ? call_->reserve() : 0;
  }
  void work() { call_->work(false); }
  /// What has come out once everything kept is published.
  Texts published() {
    output_->commit({.inputs_done = 1});
    return records_of(segment_, 1);
  }

  RigSpec spec_;
  std::int64_t late_ns_ = std::numeric_limits<std::int64_t>::max();  ///< whatever else the machine does meanwhile
  shm::Segment segment_;
  std::unique_ptr<StageAdapter> stage_;
  std::optional<Monitor> monitor_;
  std::optional<shm::RingWriter> output_;
  std::optional<shm::RingReader> input_;
  std::optional<BatchCall> call_;
};

std::unique_ptr<StageAdapter> next_letter() {
  return typed<char, char>([](char in) { return static_cast<char>(in + 1); });
}

TEST_F(BatchCallTest, GivesEveryItemToTheStageInOneCall) {
  feed(segment_, 0, {"a", "b", "c"});
  BatchCall& sut = start(next_letter());
  EXPECT_EQ(collect(), 3U);  // and not the end mark
  work();
  EXPECT_EQ(sut.keep(), 3U);
  EXPECT_EQ(published(), (Texts{"b", "c", "d"}));
}

TEST_F(BatchCallTest, TakesNoMoreThanItIsAllowed) {
  feed(segment_, 0, {"a", "b", "c"});
  start(next_letter());
  EXPECT_EQ(collect(2), 2U);
  EXPECT_EQ(collect(0), 0U);
}

TEST_F(BatchCallTest, StopsBeforeAnItemThatIsNotWanted) {
  feed(segment_, 0, {"a", "b", "c"});
  start(next_letter());
  EXPECT_EQ(collect(64, before(1)), 1U);
}

TEST_F(BatchCallTest, StopsBeforeAnItemOfAnotherSize) {
  feed(segment_, 0, {"a", "bb", "c"});
  start(next_letter());
  EXPECT_EQ(collect(), 1U);
}

TEST_F(BatchCallTest, StopsBeforeADamagedHeader) {
  feed(segment_, 0, {"a", "b", "c"});
  start(next_letter());
  const shm::ProducerEnd neighbour = segment_.map_producer(0);
  neighbour.ring[shm::record_bytes(1)] ^= std::byte{1};  // the second one's number
  EXPECT_EQ(collect(), 1U);
  input_->advance_items(1);
  EXPECT_THROW(input_->try_peek(), shm::LinkCorrupt);
}

TEST_F(BatchCallTest, ResultsKeepTheNumbersOfTheirItems) {
  feed(segment_, 0, {"a", "b", "c"});
  BatchCall& sut = start(
      typed<std::optional<char>, char>([](char in) { return in == 'b' ? std::nullopt : std::optional<char>(in); }));
  ASSERT_EQ(collect(), 3U);
  work();
  EXPECT_EQ(sut.keep(), 2U);
  output_->commit({.inputs_done = 3});
  shm::RingReader reader(segment_.map_consumer(1), 0);
  EXPECT_EQ(reader.try_peek()->sequence, 0U);
  reader.advance();
  EXPECT_EQ(reader.try_peek()->sequence, 2U);
  EXPECT_EQ(test::text_of(*reader.try_peek()), "c");
}

TEST_F(BatchCallTest, ItsItemsEnteredTogether) {
  shm::RingWriter ring(segment_.map_producer(0));
  for (const RecordAt& at : {RecordAt{7, 100}, {8, 100}, {9, 101}}) {
    ASSERT_TRUE(put(ring, "a", {.sequence = at.sequence, .entered_ns = at.entered_ns}));
  }
  ring.commit({.inputs_done = 3});
  BatchCall& sut = start(next_letter());
  ASSERT_EQ(collect(), 2U);
  EXPECT_EQ(sut.entered_ns(), 100);
  work();
  ASSERT_EQ(sut.keep(), 2U);
  output_->commit({.inputs_done = 2});
  shm::RingReader reader(segment_.map_consumer(1), 0);
  EXPECT_EQ(reader.try_peek()->entered_ns, 100);
}

TEST_F(BatchCallTest, PartsOfOneInputAreNoRun) {
  shm::RingWriter ring(segment_.map_producer(0));
  for (const std::uint64_t sequence : {7U, 7U, 8U}) {
    ASSERT_TRUE(put(ring, "a", {.sequence = sequence}));
  }
  ring.commit({.inputs_done = 2});
  start(next_letter());
  EXPECT_EQ(collect(), 1U);
  input_->advance_items(1);
  EXPECT_EQ(collect(), 2U);
}

TEST_F(BatchCallTest, WhatOneStageGaveIsARunForTheNext) {
  feed(segment_, 0, {"a", "b", "c", "d"});
  BatchCall& sut = start(
      typed<std::optional<char>, char>([](char in) { return in == 'b' ? std::nullopt : std::optional<char>(in); }));
  ASSERT_EQ(collect(), 4U);
  work();
  ASSERT_EQ(sut.keep(), 3U);
  output_->commit({.inputs_done = 4});
  shm::RingReader reader(segment_.map_consumer(1), 0);
  std::string seen;
  const std::unique_ptr<StageAdapter> sink = typed<char, char>([&](char in) {
    seen += in;
    return in;
  });
  const shm::Segment behind = make_rig_segment(spec_);
  shm::RingWriter out(behind.map_producer(1));
  BatchCall next(*sink, out, *monitor_);
  ASSERT_TRUE(next.collect(reader, 64, before(3)));
  ASSERT_EQ(next.reserve(), 2U);
  next.work(false);
  EXPECT_EQ(seen, "ac");
  EXPECT_EQ(next.done(), 2U);
  reader.advance_items(next.keep());
  EXPECT_EQ(reader.try_peek()->sequence, 3U);
}

TEST_F(BatchCallTest, WhatWasDoneBeforeAnExceptionIsKept) {
  feed(segment_, 0, {"a", "b", "c"});
  BatchCall& sut = start(typed<char, char>([](char in) { return in == 'b' ? throw Error("b") : in; }));
  ASSERT_EQ(collect(), 3U);
  EXPECT_THROW(work(), Error);
  EXPECT_EQ(sut.done(), 1U);
  EXPECT_EQ(sut.keep(), 1U);
  EXPECT_EQ(published(), Texts{"a"});
}

/// What the page says while each item is in the stage.
struct Named {
  std::uint64_t number, sequence;
  std::uint32_t in_flight;
  bool operator==(const Named&) const = default;
};

class NamingTest : public BatchCallTest {
 protected:
  std::vector<Named> named(bool one_by_one) {
    std::vector<Named> all;
    start(typed<char, char>([&](char in) {
      const shm::WorkerPage& page = *monitor_->end().page;
      all.push_back({page.number, page.sequence, page.in_flight});
      return in;
    }));
    call_->collect(*input_, 3, kAll);
    call_->reserve();
    call_->work(one_by_one);
    return all;
  }
};

TEST_F(NamingTest, NamesTheRun) {
  feed(segment_, 0, {"a", "b", "c"});
  EXPECT_EQ(named(false), (std::vector<Named>{{0, 0, 3}, {0, 0, 3}, {0, 0, 3}}));
}

TEST_F(NamingTest, NamesEachItemIfItIsToldTo) {
  feed(segment_, 0, {"a", "b", "c"});
  EXPECT_EQ(named(true), (std::vector<Named>{{0, 0, 1}, {1, 1, 1}, {2, 2, 1}}));
}

TEST_F(NamingTest, NamesEachItemByItsSequenceNumber) {
  shm::RingWriter ring(segment_.map_producer(0));
  for (const std::uint64_t sequence : {7U, 8U, 30U}) {
    ASSERT_TRUE(put(ring, "a", {.sequence = sequence}));
  }
  ring.commit({.inputs_done = 3});
  EXPECT_EQ(named(true), (std::vector<Named>{{0, 7, 1}, {1, 8, 1}, {2, 30, 1}}));
}

TEST_F(BatchCallTest, AStageThatChangesItemsInPlace) {
  feed(segment_, 0, {"a", "b"});
  const auto grow = [](char& letter) { ++letter; };
  BatchCall& sut = start(std::make_unique<detail::InPlaceAdapter<char, decltype(grow)>>(grow));
  ASSERT_EQ(collect(), 2U);
  work();
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

TEST_F(BatchCallTest, ASourceThatGivesLessHasEnded) {
  BatchCall& sut = start(detail::adapt(std::make_unique<Countdown>(2)));
  EXPECT_EQ(collect_from(0, 5), 5U);
  EXPECT_FALSE(sut.work(false));
  EXPECT_EQ(sut.keep(), 2U);
  EXPECT_EQ(published(), (Texts{"2", "1"}));
}

/// Many more items than a run has bits for, through a stage that changes each and one that drops some.
class LongRunTest : public BatchCallTest {
 protected:
  LongRunTest() : BatchCallTest({.ring_bytes = 64 << 10, .item_limit = 20'000}) {}

  /// Numbers from `first` on, as one run.
  void publish(std::uint64_t first, std::uint32_t items) {
    shm::RingWriter ring(segment_.map_producer(0));
    ASSERT_EQ(ring.try_reserve_run(sizeof(std::uint64_t), items), items);
    for (std::uint64_t i = 0; i < items; ++i) {
      const std::uint64_t number = first + i;
      std::memcpy(ring.run_start() + i * sizeof(number), &number, sizeof(number));
    }
    ring.finish_run(sizeof(std::uint64_t), {.items = items, .sequences = shm::low_bits(items)}, {.sequence = first});
    ring.commit({.inputs_done = items});
  }
  /// Sequence numbers and what they carry.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> outputs() {
    output_->commit({.inputs_done = 1});
    std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
    shm::RingReader reader(segment_.map_consumer(1), 0);
    for (; reader.try_peek() != nullptr; reader.advance()) {
      std::uint64_t value = 0;
      std::memcpy(&value, reader.try_peek()->payload.data(), sizeof(value));
      all.emplace_back(reader.try_peek()->sequence, value);
    }
    return all;
  }
};

TEST_F(LongRunTest, GoesThroughAsOne) {
  publish(100, 500);
  BatchCall& sut = start(typed<std::uint64_t, std::uint64_t>([](std::uint64_t in) { return in * 3; }));
  ASSERT_EQ(collect(), 500U);
  work();
  EXPECT_EQ(sut.done(), 500U);
  EXPECT_EQ(sut.keep(), 500U);
  const auto out = outputs();
  ASSERT_EQ(out.size(), 500U);
  for (std::uint64_t i = 0; i < 500; ++i) {
    ASSERT_EQ(out[i], std::pair(100 + i, (100 + i) * 3));
  }
}

TEST_F(LongRunTest, WhatCameBeforeAnExceptionKeepsItsNumbers) {
  publish(100, 500);
  BatchCall& sut =
      start(typed<std::uint64_t, std::uint64_t>([](std::uint64_t in) { return in == 350 ? throw Error("no") : in; }));
  ASSERT_EQ(collect(), 500U);
  EXPECT_THROW(work(), Error);
  EXPECT_EQ(sut.done(), 250U);
  EXPECT_EQ(sut.keep(), 250U);
  const auto out = outputs();
  ASSERT_EQ(out.size(), 250U);
  EXPECT_EQ(out.back(), std::pair(std::uint64_t{349}, std::uint64_t{349}));
  input_->advance_items(250);
  EXPECT_EQ(input_->try_peek()->sequence, 350U);
}

/// What is done must not wait for the rest as long as such a stage likes.
TEST_F(LongRunTest, EndsEarlyIfTheStageWaits) {
  late_ns_ = BatchCall::kLateNs;
  publish(100, 500);
  BatchCall& sut = start(typed<std::uint64_t, std::uint64_t>([](std::uint64_t in) {
    if (in == 200) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return in;
  }));
  ASSERT_EQ(collect(), 500U);
  EXPECT_TRUE(sut.work(false));
  EXPECT_TRUE(sut.late());
  EXPECT_LT(sut.done(), 200U);
  EXPECT_EQ(sut.keep(), sut.done());
  input_->advance_items(sut.done());
  EXPECT_EQ(input_->try_peek()->sequence, 100U + sut.done());
  EXPECT_EQ(outputs().back().first, 99U + sut.done());
}

TEST_F(LongRunTest, AStageThatFiltersGetsItInParts) {
  publish(100, 500);
  BatchCall& sut = start(typed<std::optional<std::uint64_t>, std::uint64_t>(
      [](std::uint64_t in) { return in % 3 == 0 ? std::optional(in) : std::nullopt; }));
  std::uint32_t done = 0;
  while (const std::uint32_t items = collect()) {
    ASSERT_LE(items, shm::kRunBits);
    work();
    sut.keep();
    input_->advance_items(items);
    done += items;
  }
  EXPECT_EQ(done, 500U);
  const auto out = outputs();
  ASSERT_EQ(out.size(), 166U);
  for (std::uint64_t i = 0; i < 166; ++i) {
    ASSERT_EQ(out[i], std::pair(102 + i * 3, 102 + i * 3));
  }
}

TEST_F(LongRunTest, TakesNoMoreThanIsWanted) {
  publish(100, 500);
  start(typed<std::uint64_t, std::uint64_t>([](std::uint64_t in) { return in; }));
  EXPECT_EQ(collect(200), 200U);
  EXPECT_EQ(collect(500, before(400)), 300U);
}

/// Where a run does not fit it waits: what is cut stays so for all stages behind.
TEST_F(LongRunTest, IsNotCutByAFullLink) {
  BatchCall& sut = start(typed<std::uint64_t, std::uint64_t>([](std::uint64_t in) { return in; }));
  std::uint32_t runs = 0;
  for (std::uint64_t next = 0;; next += 500, ++runs) {
    publish(next, 500);
    ASSERT_TRUE(sut.collect(*input_, 512, kAll));
    const std::uint32_t items = sut.reserve();
    if (items == 0) {
      break;
    }
    ASSERT_EQ(items, 500U);
    work();
    sut.keep();
    output_->commit({.inputs_done = next});
    input_->advance_items(500);
    input_->release();
  }
  EXPECT_GT(runs, 10U);
  shm::RingReader behind(segment_.map_consumer(1), 0);
  behind.advance_items(behind.try_items(8, 512, kAll).items);
  behind.release();
  EXPECT_EQ(sut.reserve(), 500U);
}

struct FourItems : BatchCallTest {
  FourItems() : BatchCallTest({.ring_bytes = 4096, .item_limit = 20'000, .items_limit = 4}) {}
};

TEST_F(FourItems, TakesWhatHasRoomBehindTheStage) {
  BatchCall& sut = start(detail::adapt(std::make_unique<Countdown>(9)));
  EXPECT_EQ(collect_from(0, 64), 4U);
  work();
  sut.keep();
  EXPECT_EQ(collect_from(4, 64), 0U);
  EXPECT_EQ(published(), (Texts{"9", "8", "7", "6"}));
  EXPECT_EQ(collect_from(4, 64), 0U) << "published, and not read";
}

/// How many items the page says are in work, for each.
std::vector<std::uint32_t> in_flight_behind_a_death(std::uint64_t seen_until) {
  std::vector<std::uint32_t> in_flight;
  const shm::WorkerPage* page = nullptr;
  RigSpec spec{.segments = {{.make =
                                 [&] {
                                   std::vector<std::unique_ptr<StageAdapter>> all;
                                   all.push_back(typed<char, char>([&](char in) {
                                     in_flight.push_back(page->in_flight);
                                     return in;
                                   }));
                                   return all;
                                 },
                             .in_runs = true}}};
  const shm::Segment segment = make_rig_segment(spec);
  const shm::SupervisorView view = segment.map_supervisor();
  view.workers[1].control->seen_until = seen_until;
  page = view.workers[1].page;
  feed(segment, 0, {"a", "b", "c"});
  RiggedWorker sut(segment, spec);
  sut.row().run();
  return in_flight;
}

TEST(SegmentRunnerRunTest, ItemsThatWereInWorkAtADeathAreToldApart) {
  EXPECT_EQ(in_flight_behind_a_death(0), (std::vector<std::uint32_t>{1, 2, 2})) << "the first is always timed singly";
  EXPECT_EQ(in_flight_behind_a_death(2), (std::vector<std::uint32_t>{1, 1, 1}));
}

TEST(SegmentRunnerRunTest, AnItemThatThrowsInARunIsADeadLetterAndIsCalledOnce) {
  std::string called;
  RigSpec spec{.segments = {{.make =
                                 [&] {
                                   std::vector<std::unique_ptr<StageAdapter>> all;
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
  const shm::StageStats& stats = sut.monitor().end().stats[0];
  EXPECT_EQ(stats.items.load(), 5U);
  EXPECT_EQ(stats.errors.load(), 1U);
}

}  // namespace
}  // namespace pystream::worker
