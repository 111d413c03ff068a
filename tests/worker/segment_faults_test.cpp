#include <pystream/error.hpp>
#include <thread>

#include "support/child.hpp"
#include "worker/runner_support.hpp"

/// What becomes of an item whose stage throws.
namespace pystream::worker {
namespace {

using namespace pystream::test;
using namespace pystream::worker::test;

TEST(SegmentFaultsTest, AnExceptionIsADeadLetterAndWithdrawsItsOutput) {
  const RigSpec spec = spec_of([](const Item& in, Output& out) {
    emit_text(out, "half of " + text_of(in));
    if (in.sequence() == 1) {
      throw Error("no more");
    }
  });
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0", "1", "2"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"half of 0", "half of 2", "$"}));
  EXPECT_EQ(sut.letters.reasons, Texts{"no more"});
  EXPECT_EQ(sut.letters.items, Texts{"1"});
  EXPECT_EQ(sut.monitor().end().stats[0].errors, 1U);
}

/// Fast stages get items one behind another; only few of them are timed.
RigSpec fast(RigSpec spec) {
  spec.segments[0].in_runs = true;
  return spec;
}

TEST(SegmentFaultsTest, AnExceptionAmongUntimedItemsIsADeadLetterToo) {
  const RigSpec spec = fast(spec_of([](const Item& in, Output& out) {
    emit_text(out, "half of " + text_of(in));
    if (in.sequence() % 3 == 2) {
      throw Error("no more");
    }
    out.forward(in);
  }));
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0", "1", "2", "3", "4", "5"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1),
            (Texts{"half of 0", "0", "half of 1", "1", "half of 3", "3", "half of 4", "4", "$"}));
  EXPECT_EQ(sut.letters.items, (Texts{"2", "5"}));
  EXPECT_EQ(sut.monitor().end().stats[0].items, 6U);
  EXPECT_EQ(sut.monitor().end().stats[0].errors, 2U);
}

TEST(SegmentFaultsTest, AnUntimedItemIsTriedAgain) {
  int tries = 0;
  RigSpec spec = fast(spec_of([&](const Item& in, Output& out) {
    emit_text(out, "junk");
    if (in.sequence() == 2 && ++tries < 3) {
      throw Error("again");
    }
    out.forward(in);
  }));
  spec.segments[0].faults.on_error = plan::OnError::retry;
  spec.segments[0].faults.max_attempts = 3;
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0", "1", "2", "3"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"junk", "0", "junk", "1", "junk", "2", "junk", "3", "$"}));
}

TEST(SegmentFaultsTest, AnUntimedItemWaitsForRoomWithWhatCameBefore) {
  const RigSpec spec = fast(spec_of([](const Item& in, Output& out) {
    out.forward(in);
    out.forward(in);
  }));
  const shm::Segment segment = make_rig_segment(spec);
  Texts items;
  Texts expected;
  for (int i = 0; i < 40; ++i) {
    items.push_back(std::to_string(i) + std::string(40, '.'));
    expected.insert(expected.end(), {items.back(), items.back()});
  }
  feed(segment, 0, items);
  std::jthread reader([&] {
    shm::RingReader ring(segment.map_consumer(1), 0);
    Texts all;
    while (all.size() < expected.size()) {
      ring.wait(0, kSecondNs / 100);
      for (std::string& item : take_all(ring)) {
        if (!item.empty()) {  // not the end
          all.push_back(std::move(item));
        }
      }
      ring.release();
    }
    EXPECT_EQ(all, expected);
  });
  RiggedWorker sut(segment, spec);
  run_batches(sut);
}

TEST(SegmentFaultsTest, OnErrorSkipKeepsNoLetterAndFailEndsTheWorker) {
  RigSpec spec = spec_of([](const Item&, Output&) { throw 42; });
  spec.segments[0].faults.on_error = plan::OnError::skip;
  {
    const shm::Segment segment = make_rig_segment(spec);
    feed(segment, 0, {"0"});
    RiggedWorker sut(segment, spec);
    run_batches(sut);
    EXPECT_EQ(records_of(segment, 1), Texts{"$"});
    EXPECT_TRUE(sut.letters.reasons.empty());
  }
  spec.segments[0].faults.on_error = plan::OnError::fail;
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0"});
  RiggedWorker sut(segment, spec);
  EXPECT_THROW(run_batches(sut), StageFailed);
}

TEST(SegmentFaultsTest, OnErrorRetryTriesAsOftenAsAllowed) {
  int tries = 0;
  RigSpec spec = spec_of([&](const Item& in, Output& out) {
    emit_text(out, "junk");
    if (++tries < 3) {
      throw Error("again");
    }
    out.forward(in);
  });
  spec.segments[0].faults.on_error = plan::OnError::retry;
  spec.segments[0].faults.max_attempts = 3;
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"junk", "0", "$"}));
  EXPECT_TRUE(sut.letters.reasons.empty());
}

TEST(SegmentFaultsTest, AnItemTooLargeForTheNextLinkIsThatItemsError) {
  RigSpec spec = spec_of([](const Item& in, Output& out) {
    out.reserve(in.sequence() == 0 ? 30'000 : 1);
    out.forward(in);
  });
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0", "1"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"1", "$"}));
  ASSERT_EQ(sut.letters.reasons.size(), 1U);
  EXPECT_NE(sut.letters.reasons[0].find("30000"), std::string::npos);
}

TEST(SegmentFaultsTest, EmittingWithoutAReservationIsTheStagesError) {
  const RigSpec spec = spec_of([](const Item& in, Output& out) {
    out.reserve(4);
    out.emit_reserved(0);
    if (in.sequence() == 0) {
      out.emit_reserved(0);  // there is no room that anybody has asked for
    }
  });
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0", "1"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"", "$"}));
  EXPECT_EQ(sut.letters.items, Texts{"0"});
}

/// Gives "0", "1" and so on, three at a time.
class Triples final : public RawSource<std::uint64_t> {
 public:
  bool produce(Output& out) override {
    for (int i = 0; i < 3; ++i) {
      emit_text(out, std::to_string(cursor()++));
    }
    return cursor() < 6;
  }
};

RigSpec spec_behind_source(const std::function<void(const Item&, Output&)>& stage) {
  return {.segments = {{.make =
                            [stage] {
                              std::vector<std::unique_ptr<StageAdapter>> all;
                              all.push_back(detail::adapt(std::make_unique<Triples>()));
                              all.push_back(raw(stage));
                              return all;
                            },
                        .has_source = true}}};
}

TEST(SegmentFaultsTest, BehindASourceOnlyTheItemThatFailsIsSetAside) {
  const RigSpec spec = spec_behind_source([](const Item& in, Output& out) {
    emit_text(out, "a" + text_of(in));
    if (text_of(in) == "1" || text_of(in) == "5") {
      throw Error("no " + text_of(in));
    }
    emit_text(out, "b" + text_of(in));
  });
  const shm::Segment segment = make_rig_segment(spec);
  RiggedWorker sut(segment, spec);
  sut.row().run();
  EXPECT_EQ(records_of(segment, 1), (Texts{"a0", "b0", "a2", "b2", "a3", "b3", "a4", "b4", "$"}));
  EXPECT_EQ(sut.letters.reasons, (Texts{"no 1", "no 5"}));
  EXPECT_EQ(sut.letters.items, (Texts{"1", "5"}));
  EXPECT_EQ(sut.letters.sequences, (std::vector<std::uint64_t>{1, 5}));
  EXPECT_EQ(sut.monitor().end().stats[1].errors, 2U);
}

TEST(SegmentFaultsTest, BehindASourceAnItemIsTriedAgain) {
  int tries = 0;
  RigSpec spec = spec_behind_source([&](const Item& in, Output& out) {
    emit_text(out, "a" + text_of(in));
    if (text_of(in) == "4" && ++tries < 3) {
      throw Error("again");
    }
  });
  spec.segments[0].faults = {.on_error = plan::OnError::retry, .max_attempts = 3};
  const shm::Segment segment = make_rig_segment(spec);
  RiggedWorker sut(segment, spec);
  sut.row().run();
  EXPECT_EQ(records_of(segment, 1), (Texts{"a0", "a1", "a2", "a3", "a4", "a5", "$"}));
  EXPECT_EQ(tries, 3);
  EXPECT_EQ(sut.monitor().end().stats[1].items, 6U) << "a try is no item";
}

TEST(SegmentFaultsTest, BehindASourceAnItemThatMadeALinkFullIsWithdrawnAsFarAsItMay) {
  RigSpec spec = spec_behind_source([](const Item& in, Output& out) {
    for (int i = 0; i < 3; ++i) {
      emit_text(out, text_of(in) + std::string(200, static_cast<char>('a' + i)));
    }
    if (text_of(in) == "2") {
      throw Error("late");
    }
  });
  spec.segments[0].faults.on_error = plan::OnError::skip;
  spec.link.items_limit = 8;  // full in the midst of item 2
  const shm::Segment segment = make_rig_segment(spec);
  Child worker([&] { RiggedWorker(segment, spec).row().run(); });
  shm::RingReader reader(segment.map_consumer(1), 0);
  std::string seen;
  for (bool ended = false; !ended;) {
    reader.wait(0, kSecondNs);
    while (const shm::Record* record = reader.try_peek()) {
      ended = record->kind == shm::RecordKind::end;
      seen += ended ? "$" : std::string{text_of(*record).front(), text_of(*record).back(), ' '};
      reader.advance();
      reader.release();
    }
  }
  EXPECT_EQ(worker.wait(), 0);
  EXPECT_TRUE(seen.starts_with("0a 0b 0c 1a 1b 1c ")) << seen;
  EXPECT_TRUE(seen.ends_with("3a 3b 3c 4a 4b 4c 5a 5b 5c $")) << seen;
  EXPECT_EQ(seen.find("2c"), std::string::npos) << "not published before it threw: " << seen;
}

/// Numbers from 0 to 9; throws at 3 and 7. The cursor then stands behind them, if it `moves`.
class Holes final : public RawSource<std::uint64_t> {
 public:
  explicit Holes(bool moves) : moves_(moves) {}
  bool produce(Output& out) override {
    const std::uint64_t next = cursor();
    if (next == 3 || next == 7) {
      cursor() += moves_ ? 1 : 0;
      throw Error("no " + std::to_string(next));
    }
    ++cursor();
    emit_text(out, std::to_string(next));
    return cursor() < 10;
  }

 private:
  bool moves_;
};

RigSpec spec_of_holes(bool moves, plan::OnError on_error) {
  return {.segments = {{.make = [moves] { return one(detail::adapt(std::make_unique<Holes>(moves))); },
                        .has_source = true,
                        .faults = {.on_error = on_error, .max_attempts = 2}}}};
}

TEST(SegmentFaultsTest, ASourcesFaultTakesANumberAndIsKeptOrSkipped) {
  for (const plan::OnError policy : {plan::OnError::skip, plan::OnError::dead_letter}) {
    const RigSpec spec = spec_of_holes(true, policy);
    const shm::Segment segment = make_rig_segment(spec);
    RiggedWorker sut(segment, spec);
    sut.row().run();
    Texts items = records_of(segment, 1);
    std::erase(items, "#");  // what its cursor is committed with
    EXPECT_EQ(items, (Texts{"0", "1", "2", "4", "5", "6", "8", "9", "$"}));
    const bool kept = policy == plan::OnError::dead_letter;
    EXPECT_EQ(sut.letters.reasons, kept ? (Texts{"no 3", "no 7"}) : Texts{});
    EXPECT_EQ(sut.letters.sequences, kept ? (std::vector<std::uint64_t>{3, 7}) : std::vector<std::uint64_t>{});
    EXPECT_EQ(sut.monitor().end().stats[0].errors, 2U);
    EXPECT_EQ(sut.monitor().end().stats[0].letters, kept ? 2U : 0U);
    EXPECT_EQ(sut.monitor().end().stats[0].items, 8U);
  }
}

TEST(SegmentFaultsTest, ASourceThatFailsHasGivenAllItemsBefore) {
  for (const bool moves : {true, false}) {
    const RigSpec spec = spec_of_holes(moves, moves ? plan::OnError::fail : plan::OnError::skip);
    const shm::Segment segment = make_rig_segment(spec);
    RiggedWorker sut(segment, spec);
    EXPECT_THROW(sut.row().run(), StageFailed);
    Texts items = records_of(segment, 1);
    std::erase(items, "#");
    EXPECT_EQ(items, (Texts{"0", "1", "2"}));
    EXPECT_EQ(sut.monitor().end().stats[0].errors, moves ? 0U : 2U) << "a fault that it does not get behind";
  }
}

/// An item and a fault in turns, five of each. It has no cursor that could show its progress.
class EverySecond final : public RawSource<> {
 public:
  bool produce(Output& out) override {
    const int call = calls_++;
    if (call % 2 == 1) {
      throw Error("no " + std::to_string(call));
    }
    emit_text(out, std::to_string(call));
    return call < 9;
  }

 private:
  int calls_ = 0;
};

TEST(SegmentFaultsTest, AnItemEndsARowOfFaultsOfASourceWithoutACursor) {
  const RigSpec spec{.segments = {{.make = [] { return one(detail::adapt(std::make_unique<EverySecond>())); },
                                   .has_source = true,
                                   .faults = {.on_error = plan::OnError::skip, .max_attempts = 2}}}};
  const shm::Segment segment = make_rig_segment(spec);
  RiggedWorker sut(segment, spec);
  while (!sut.runner().ended() && sut.monitor().end().stats[0].errors < 5) {
    sut.runner().run_batch();
  }
  EXPECT_EQ(sut.monitor().end().stats[0].errors, 5U);
  EXPECT_EQ(records_of(segment, 1), (Texts{"0", "2", "4", "6", "8"}));
}

/// Ten items; it holds them all once it has given the first, if it says so.
class Holder final : public RawSource<std::uint64_t> {
 public:
  explicit Holder(bool says) : says_(says) {}
  bool produce(Output& out) override {
    emit_text(out, std::to_string(cursor()++));
    return true;  // never ends by itself
  }

 private:
  bool buffered() override { return says_ && cursor() < 10; }
  bool says_;
};

TEST(SegmentFaultsTest, ADrainedSourceGivesWhatItHoldsAndNothingElse) {
  for (const bool says : {true, false}) {
    const RigSpec spec{.segments = {{.make = [says] { return one(detail::adapt(std::make_unique<Holder>(says))); },
                                     .has_source = true}}};
    const shm::Segment segment = make_rig_segment(spec);
    const shm::SupervisorView view = segment.map_supervisor();
    RiggedWorker sut(segment, spec);
    ASSERT_TRUE(sut.runner().run_batch());
    view.workers[1].control->command = static_cast<std::uint32_t>(shm::Command::drain);
    sut.row().run();
    const Texts items = records_of(segment, 1);
    EXPECT_EQ(items.back(), "$");
    EXPECT_EQ(items.size(), says ? 11U : 2U) << "the batch has one item";
  }
}

}  // namespace
}  // namespace pystream::worker
