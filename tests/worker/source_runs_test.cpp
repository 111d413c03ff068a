#include "worker/source_runs.hpp"

#include "worker/runner_support.hpp"

/// What a source of bytes gives in calls that follow one another is one record.
namespace pystream::worker {
namespace {

using namespace pystream::test;
using namespace pystream::worker::test;

using Produce = std::function<bool(std::uint64_t number, Output& out)>;

/// Calls a function with the number of the call.
class Calls final : public RawSource<std::uint64_t> {
 public:
  Calls(Produce produce, std::function<bool()> buffered) : produce_(std::move(produce)), buffered_(buffered) {}
  bool produce(Output& out) override { return produce_(cursor()++, out); }

 private:
  bool buffered() override { return buffered_ && buffered_(); }
  Produce produce_;
  std::function<bool()> buffered_;
};

std::string item(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return digits + std::string(16 - digits.size(), '.');
}

class SourceRunsTest : public ::testing::Test {
 protected:
  RiggedWorker& start(Produce produce, std::function<bool()> buffered = {}) {
    spec_.segments.push_back({.make = [=] { return one(detail::adapt(std::make_unique<Calls>(produce, buffered))); },
                              .has_source = true,
                              .faults = {.on_error = on_error, .max_attempts = 2},
                              .in_runs = true});
    segment_.emplace(make_rig_segment(spec_));
    view_.emplace(segment_->map_supervisor());
    sut_.emplace(*segment_, spec_);
    return *sut_;
  }
  shm::ControlPage& control() { return *view_->workers[1].control; }
  Texts published() { return records_of(*segment_, 1); }
  /// How many items each record holds that a run may be found in.
  std::vector<std::uint32_t> lengths() {
    shm::RingReader reader(segment_->map_consumer(1), 0);
    std::vector<std::uint32_t> all;
    while (const shm::Record* record = reader.try_peek()) {
      if (record->kind != shm::RecordKind::item) {
        break;
      }
      const std::size_t size = record->payload.size();
      const shm::FoundItems found = reader.try_items(size, shm::kMostInRun, kAll);
      const bool is_run = found.step == size;
      all.push_back(is_run ? found.items : 1);
      reader.advance_items(all.back());
    }
    return all;
  }

  plan::OnError on_error = plan::OnError::fail;
  RigSpec spec_;
  std::optional<shm::Segment> segment_;
  std::optional<shm::SupervisorView> view_;
  std::optional<RiggedWorker> sut_;
};

bool give(std::uint64_t number, Output& out) {
  emit_text(out, item(number));
  return number < 29;
}

TEST_F(SourceRunsTest, ItemsOfOneSizeAreOneRecord) {
  RiggedWorker& sut = start(give);
  sut.row().run();
  EXPECT_EQ(lengths(), (std::vector<std::uint32_t>{1, 15, 14})) << "this link allows 15; the first one is timed";
  const Texts items = published();
  ASSERT_EQ(items.size(), 31U);
  EXPECT_EQ(items.at(17), item(17));
  EXPECT_EQ(sut.monitor().end().stats[0].items, 30U);
}

TEST_F(SourceRunsTest, WhatDoesNotFitEndsTheRun) {
  start([](std::uint64_t number, Output& out) {
    emit_text(out, number == 9 ? "odd" : item(number));
    if (number == 23) {
      emit_text(out, item(99));
    }
    return number < 29;
  })
      .row()
      .run();
  const Texts items = published();
  ASSERT_EQ(items.size(), 32U);
  EXPECT_EQ(items.at(9), "odd");
  EXPECT_EQ(items.at(23), item(23));
  EXPECT_EQ(items.at(24), item(99));
  EXPECT_EQ(items.at(25), item(24));
  const std::vector<std::uint32_t> records = lengths();
  ASSERT_GE(records.size(), 12U);
  EXPECT_EQ(records[1], 8U) << "1 to 8";
  EXPECT_EQ(records[2], 1U) << "the odd one";
  EXPECT_EQ(records[11], 5U) << "18 to 22";
}

TEST_F(SourceRunsTest, ASourceThatPausesHasPublishedWhatItGave) {
  RiggedWorker& sut = start([](std::uint64_t number, Output& out) {
    if (number % 8 != 5) {
      emit_text(out, item(number));
    }
    return true;
  });
  Texts expected;
  for (std::uint64_t number = 0; number < 45; ++number) {
    if (number % 8 == 5) {
      sut.runner().run_batch();
      ASSERT_EQ(published(), expected) << "at call " << number;
    } else {
      expected.push_back(item(number));
    }
  }
}

TEST_F(SourceRunsTest, ADrainIsSeenInTheMidstOfARun) {
  for (const std::uint64_t held : {0U, 20U}) {
    SetUp();
    spec_.segments.clear();
    std::uint64_t calls = 0;
    RiggedWorker& sut = start(
        [&](std::uint64_t number, Output& out) {
          ++calls;
          if (number == 10) {
            control().command = static_cast<std::uint32_t>(shm::Command::drain);
          }
          emit_text(out, item(number));
          return true;
        },
        [&] { return calls < held; });
    sut.row().run();
    EXPECT_EQ(calls, std::max<std::uint64_t>(held, 11));
    EXPECT_EQ(published().size(), calls + 1);
    EXPECT_EQ(published().back(), "$");
  }
}

TEST_F(SourceRunsTest, GivesNoMoreThanTheRunMayHave) {
  std::uint64_t calls = 0;
  RiggedWorker& sut = start([&](std::uint64_t number, Output& out) {
    ++calls;
    emit_text(out, item(number));
    return true;
  });
  control().items_limit = 12;
  sut.row().run();
  EXPECT_EQ(calls, 12U);
  EXPECT_EQ(published().size(), 13U);
}

TEST_F(SourceRunsTest, AFaultInTheMidstOfARunTakesANumberOfItsOwn) {
  on_error = plan::OnError::dead_letter;
  RiggedWorker& sut = start([](std::uint64_t number, Output& out) {
    if (number == 7) {
      throw Error("no 7");
    }
    const bool more = give(number, out);
    if (number == 12) {
      throw Error("more than 12");
    }
    return more;
  });
  sut.row().run();
  Texts items = published();
  ASSERT_EQ(items.size(), 30U);
  EXPECT_EQ(items.at(6), item(6));
  EXPECT_EQ(items.at(7), item(8));
  EXPECT_EQ(items.at(11), item(12)) << "what it gave before it threw stays";
  EXPECT_EQ(items.at(12), item(13));
  EXPECT_EQ(sut.letters.reasons, (Texts{"no 7", "more than 12"}));
  EXPECT_EQ(sut.letters.sequences, (std::vector<std::uint64_t>{7, 13}));
  EXPECT_EQ(sut.monitor().end().stats[0].items, 29U);
}

TEST_F(SourceRunsTest, ASourceThatFailsHasGivenAllItemsBefore) {
  RiggedWorker& sut = start([](std::uint64_t number, Output& out) {
    if (number == 17) {
      throw Error("no 17");
    }
    return give(number, out);
  });
  EXPECT_THROW(sut.row().run(), StageFailed);
  const Texts items = published();
  ASSERT_EQ(items.size(), 17U);
  EXPECT_EQ(items.back(), item(16));
}

TEST_F(SourceRunsTest, ItemsWithANumberOfTheirOwnAreRecordsOfTheirOwn) {
  start([](std::uint64_t number, Output& out) {
    if (number % 10 == 3) {
      out.set_origin({.sequence = 1000 + number});
    }
    return give(number, out);
  })
      .row()
      .run();
  shm::RingReader reader(segment_->map_consumer(1), 0);
  std::vector<std::uint64_t> own;
  std::uint64_t items = 0;
  for (; const shm::Record* record = reader.try_peek(); reader.advance()) {
    items += record->kind == shm::RecordKind::item ? 1 : 0;
    if (record->sequence >= 1000) {
      own.push_back(record->sequence);
    }
  }
  EXPECT_EQ(own, (std::vector<std::uint64_t>{1003, 1013, 1023}));
  EXPECT_EQ(items, 30U);
}

TEST_F(SourceRunsTest, WhatKilledASourceIsAskedForByItself) {
  start(give);
  control().attempt_number = 11;
  control().attempts = 1;
  sut_.emplace(*segment_, spec_);
  sut_->row().run();
  const std::vector<std::uint32_t> records = lengths();
  ASSERT_GE(records.size(), 3U);
  EXPECT_EQ(records[1], 10U) << "1 to 10";
  EXPECT_EQ(records[2], 1U);
  EXPECT_EQ(published().size(), 31U);
}

}  // namespace
}  // namespace pystream::worker
