#include "worker/segment_runner.hpp"

#include <pystream/error.hpp>

#include "support/child.hpp"
#include "support/worker_rig.hpp"

namespace pystream::worker {
namespace {

using namespace pystream::test;
using Texts = std::vector<std::string>;

std::vector<std::unique_ptr<Hosted>> one(std::unique_ptr<Hosted> hosted) {
  std::vector<std::unique_ptr<Hosted>> all;
  all.push_back(std::move(hosted));
  return all;
}

RigSpec spec_of(RawFunction function) {
  return {.segments = {{.make = [function] { return one(raw(function)); }}}};
}

/// Runs to the end in another thread's place: the test reads while it runs, so a full link is no dead end.
void run_batches(RiggedWorker& worker) {
  while (worker.runner().run_batch() && !worker.runner().ended()) {
  }
}

TEST(SegmentRunnerTest, ItemsPassInOrder) {
  const RigSpec spec = spec_of([](const Item& in, Output& out) { emit_text(out, text_of(in) + "!"); });
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b", ""});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_TRUE(sut.runner().ended());
  EXPECT_EQ(records_of(segment, 1), (Texts{"a!", "b!", "!", "$"}));
}

TEST(SegmentRunnerTest, NoInputIsNoProgress) {
  const RigSpec spec = spec_of([](const Item& in, Output& out) { out.forward(in); });
  const shm::Segment segment = make_rig_segment(spec);
  RiggedWorker sut(segment, spec);
  EXPECT_FALSE(sut.runner().run_batch());
  feed(segment, 0, {"a"}, false);
  EXPECT_TRUE(sut.runner().run_batch());
  EXPECT_FALSE(sut.runner().run_batch());
  EXPECT_FALSE(sut.runner().ended());
  EXPECT_EQ(records_of(segment, 1), Texts{"a"});
}

TEST(SegmentRunnerTest, AFilterLeavesNothingOutsideRows) {
  const RigSpec spec = spec_of([](const Item& in, Output& out) {
    if (in.sequence() % 2 == 0) {
      out.forward(in);
    }
  });
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0", "1", "2", "3"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"0", "2", "$"}));
}

TEST(SegmentRunnerTest, WhereEveryInputIsAnsweredAFilterLeavesATombstone) {
  RigSpec spec = spec_of([](const Item& in, Output& out) {
    if (in.sequence() != 1) {
      out.forward(in);
    }
  });
  spec.answers = true;
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0", "1", "2"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"0", "#", "2", "$"}));
}

TEST(SegmentRunnerTest, WhatASuccessorTakesUpIsWhatWasNotCommitted) {
  std::uint64_t seen = 0;
  const RigSpec spec = spec_of([&](const Item& in, Output& out) {
    ++seen;
    out.forward(in);
  });
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0", "1", "2", "3", "4"});
  {
    RiggedWorker predecessor(segment, spec);
    predecessor.runner().run_batch();
  }
  EXPECT_EQ(seen, 1U) << "the first batch is one item";
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(seen, 5U);
  EXPECT_EQ(records_of(segment, 1), (Texts{"0", "1", "2", "3", "4", "$"}));
}

TEST(SegmentRunnerTest, AfterTheEndASuccessorHasNothingToDo) {
  const RigSpec spec = spec_of([](const Item& in, Output& out) { out.forward(in); });
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0"});
  {
    RiggedWorker predecessor(segment, spec);
    run_batches(predecessor);
  }
  RiggedWorker sut(segment, spec);
  EXPECT_TRUE(sut.runner().ended());
}

TEST(SegmentRunnerTest, AnExceptionIsADeadLetterAndWithdrawsItsOutput) {
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

TEST(SegmentRunnerTest, OnErrorSkipKeepsNoLetterAndFailEndsTheWorker) {
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

TEST(SegmentRunnerTest, OnErrorRetryTriesAsOftenAsAllowed) {
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

TEST(SegmentRunnerTest, AnItemTooLargeForTheNextLinkIsThatItemsError) {
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

TEST(SegmentRunnerTest, EmittingWithoutAReservationIsTheStagesError) {
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

/// A world that reads the output link while the worker, a process of its own, waits for room in it.
class BlockedWorker {
 public:
  BlockedWorker(const shm::Segment& segment, const RigSpec& spec)
      : segment_(segment), child_([&segment, &spec] {
          RiggedWorker worker(segment, spec);
          worker.row().run();
        }) {}
  bool is_blocked() const {
    return segment_.map_worker(1).page->phase == static_cast<std::uint32_t>(shm::Phase::blocked);
  }
  Child& child() { return child_; }

 private:
  const shm::Segment& segment_;
  Child child_;
};

/// Kills the worker as soon as it is blocked, again and again, reading a little in between; gives all that came out.
Texts output_under_kills(const RigSpec& spec, const Texts& items) {
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, items);
  shm::RingReader reader(segment.map_consumer(1), 0);
  Texts all;
  while (all.empty() || all.back() != "$") {
    segment.map_worker(1).page->phase = 0;
    BlockedWorker worker(segment, spec);
    bool ended = false;
    if (!wait_until([&] { return worker.is_blocked() || (ended = worker.child().ended()); })) {
      ADD_FAILURE() << "the worker hangs";
      return all;
    }
    if (!ended) {
      worker.child().kill();
    }
    for (int i = 0; i < 5 && (all.empty() || all.back() != "$"); ++i) {
      const shm::Record* record = reader.try_peek();
      if (record == nullptr) {
        if (ended) {
          ADD_FAILURE() << "the worker ended without an end";
          return all;
        }
        break;
      }
      all.push_back(record->kind == shm::RecordKind::end ? "$" : text_of(*record));
      reader.advance();
    }
    reader.release();
  }
  return all;
}

TEST(SegmentRunnerTest, KilledWhileItWaitsForRoomBehindFilteredItems) {
  RigSpec spec = spec_of([](const Item& in, Output& out) {
    if (in.sequence() % 10 == 0) {
      out.emit_bytes(in.bytes());
    }
  });
  spec.link = {.ring_bytes = 16'384, .item_limit = 20'000, .items_limit = 0};
  Texts items;
  for (int i = 0; i < 300; ++i) {
    items.push_back(std::to_string(i));
  }
  Texts expected;
  for (int i = 0; i < 300; i += 10) {
    expected.push_back(std::to_string(i));
  }
  expected.push_back("$");
  // A link away that holds only 2 items.
  shm::SegmentSpec made{.workers = {{}, {.hosted = 1}}, .links = {}, .plan = ""};
  shm::LinkSize in = spec.link;
  in.producer = 0;
  in.consumer = 1;
  shm::LinkSize out = spec.link;
  out.producer = 1;
  out.consumer = 0;
  out.items_limit = 2;
  made.links = {in, out};
  const shm::Segment segment = shm::Segment::create(made);
  feed(segment, 0, items);
  shm::RingReader reader(segment.map_consumer(1), 0);
  Texts all;
  while (all.empty() || all.back() != "$") {
    segment.map_worker(1).page->phase = 0;
    BlockedWorker worker(segment, spec);
    bool ended = false;
    ASSERT_TRUE(wait_until([&] { return worker.is_blocked() || (ended = worker.child().ended()); }));
    if (!ended) {
      worker.child().kill();
    } else {
      ASSERT_EQ(worker.child().status(), 0) << "the successor refused what its predecessor left";
    }
    while (const shm::Record* record = reader.try_peek()) {
      all.push_back(record->kind == shm::RecordKind::end ? "$" : text_of(*record));
      reader.advance();
    }
    reader.release();
  }
  EXPECT_EQ(all, expected);
}

TEST(SegmentRunnerTest, KilledWhileItWaitsForRoomForTheEndMark) {
  RigSpec spec = spec_of([](const Item& in, Output& out) { out.forward(in); });
  spec.link.items_limit = 0;
  Texts items;
  for (int i = 0; i < 64; ++i) {
    items.push_back(payload_of(static_cast<std::uint64_t>(i), 16));  // 64 with an end mark do not fit the link away
  }
  shm::SegmentSpec made{.workers = {{}, {.hosted = 1}}, .links = {}, .plan = ""};
  made.links = {{.producer = 0, .consumer = 1, .ring_bytes = 65'536, .item_limit = 1000},
                {.producer = 1, .consumer = 0, .ring_bytes = 4096, .item_limit = 1000, .items_limit = 1}};
  const shm::Segment segment = shm::Segment::create(made);
  feed(segment, 0, items);
  shm::RingReader reader(segment.map_consumer(1), 0);
  Texts all;
  while (all.empty() || all.back() != "$") {
    segment.map_worker(1).page->phase = 0;
    BlockedWorker worker(segment, spec);
    bool ended = false;
    ASSERT_TRUE(
        wait_until([&] { return worker.is_blocked() || (ended = worker.child().ended()); }, std::chrono::seconds(5)))
        << "the successor waits for an end that its predecessor took; items so far: " << all.size();
    if (!ended) {
      worker.child().kill();
    }
    if (const shm::Record* record = reader.try_peek()) {
      all.push_back(record->kind == shm::RecordKind::end ? "$" : text_of(*record));
      reader.advance();
      reader.release();
    }
  }
  items.push_back("$");
  EXPECT_EQ(all, items);
}

TEST(SegmentRunnerTest, KilledInTheMidstOfMoreOutputsThanTheLinkHolds) {
  const RigSpec spec = spec_of([](const Item& in, Output& out) {
    for (int i = 0; i < 200; ++i) {
      emit_text(out, text_of(in) + "." + std::to_string(i));
    }
  });
  Texts expected;
  for (const char* item : {"a", "b", "c"}) {
    for (int i = 0; i < 200; ++i) {
      expected.push_back(std::string(item) + "." + std::to_string(i));
    }
  }
  expected.push_back("$");
  EXPECT_EQ(output_under_kills(spec, {"a", "b", "c"}), expected);
}

/// Counts up to 100 and remembers where it is.
struct CountingCursor {
  std::uint64_t next = 0;
};
class CountingSource final : public RawSource<CountingCursor> {
 public:
  bool produce(Output& out) override {
    emit_text(out, std::to_string(cursor().next));
    return ++cursor().next < 100;
  }
};

RigSpec spec_of_source_and_filter() {
  return {.segments = {{.make =
                            [] {
                              auto all = one(detail::host(std::make_unique<CountingSource>()));
                              all.push_back(raw([](const Item& in, Output& out) {
                                if (in.sequence() % 10 == 9) {
                                  out.forward(in);
                                }
                              }));
                              return all;
                            },
                        .has_source = true}}};
}

TEST(SegmentRunnerTest, ASourcesCursorIsCommittedWhenAllItGaveWasFiltered) {
  const RigSpec spec = spec_of_source_and_filter();
  const shm::Segment segment = make_rig_segment(spec);
  bool ended = false;
  while (!ended) {
    RiggedWorker sut(segment, spec);  // a restart after every batch
    sut.runner().run_batch();
    ended = sut.runner().ended();
  }
  Texts items = records_of(segment, 1);
  std::erase(items, "#");
  EXPECT_EQ(items, (Texts{"9", "19", "29", "39", "49", "59", "69", "79", "89", "99", "$"}));
}

TEST(SegmentRunnerTest, TheAttemptCountsDeathsOnThatItemOnly) {
  std::vector<std::uint32_t> attempts;
  const RigSpec spec = spec_of([&](const Item& in, Output&) { attempts.push_back(in.attempt()); });
  const shm::Segment segment = make_rig_segment(spec);
  const shm::SupervisorView view = segment.map_supervisor();
  view.workers[1].control->attempt_number = 1;
  view.workers[1].control->attempts = 2;
  view.workers[1].control->seen_until = 2;
  feed(segment, 0, {"0", "1", "2"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(attempts, (std::vector<std::uint32_t>{2, 3, 1})) << "the first was done, and not committed";
}

TEST(SegmentRunnerTest, AStopUnwindsAWorkerThatWaitsForRoom) {
  const RigSpec spec = spec_of([](const Item&, Output& out) {
    for (int i = 0; i < 1000; ++i) {
      emit_text(out, "x");
    }
  });
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"0"});
  segment.map_supervisor().workers[1].control->command = static_cast<std::uint32_t>(shm::Command::stop);
  RiggedWorker sut(segment, spec);
  EXPECT_THROW(run_batches(sut), Stopped);
}

TEST(RowTest, AParallelChildHasOneItemAtATimeAndCloses) {
  const RigSpec spec = {.segments = {{.make = [] { return one(pass()); }}, {.make = [] { return one(pass()); }}}};
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b"});
  RiggedWorker sut(segment, spec);
  bool closed = false;
  EXPECT_TRUE(sut.runner(0).run_one(closed));
  EXPECT_TRUE(closed);
  EXPECT_EQ(records_of(segment, 1), Texts{"a^1"});
  EXPECT_FALSE(sut.runner(1).run_one(closed)) << "the child has not answered";
}

/// The child of a row: takes link 1, gives link 2, in a process of its own.
void run_child_of_row(const shm::Segment& segment, const RawFunction& function) {
  shm::RingReader reader(segment.map_consumer(1), 0);
  shm::RingWriter writer(segment.map_producer(2));
  for (bool ended = false; !ended;) {
    const shm::Record* record = reader.try_peek();
    if (record == nullptr) {
      reader.wait(0, kSecondNs);
      continue;
    }
    ended = record->kind == shm::RecordKind::end;
    const auto emit = [&](std::string_view text) {
      while (!put(writer, text)) {
        writer.wait(0, kSecondNs);
      }
    };
    if (record->kind == shm::RecordKind::item) {
      emit("<" + text_of(*record) + ">");
      writer.set_closes(record->closes);
    } else {
      while (!writer.try_mark(record->kind, {}, record->closes)) {
        writer.wait(0, kSecondNs);
      }
    }
    reader.advance();
    writer.commit({.inputs_done = record->number + 1});
    reader.release();
  }
  static_cast<void>(function);
}

TEST(RowTest, ItemsComeBackThroughTheChild) {
  const RigSpec spec = {.segments = {{.make = [] { return one(pass()); }}, {.make = [] { return one(pass()); }}}};
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b", "c"});
  Child worker([&] { RiggedWorker(segment, spec).row().run(); });
  Child child([&] { run_child_of_row(segment, {}); });
  EXPECT_EQ(worker.wait(), 0);
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(records_of(segment, 3), (Texts{"<a>", "<b>", "<c>", "$"}));
}

/// More outputs of one input than all links of the child hold: the row itself must take out what comes back.
TEST(RowTest, AFloodOfOutputsIntoTheChildIsNoDeadlock) {
  constexpr int kOutputs = 2000;
  const RigSpec spec = {.segments = {{.make =
                                          [] {
                                            return one(raw([](const Item&, Output& out) {
                                              for (int i = 0; i < kOutputs; ++i) {
                                                emit_text(out, std::to_string(i));
                                              }
                                            }));
                                          }},
                                     {.make = [] {
                                       return one(raw([](const Item& in, Output& out) {
                                         if (text_of(in) == "<1999>") {
                                           out.forward(in);
                                         }
                                       }));
                                     }}}};
  RigSpec wide = spec;
  wide.link.ring_bytes = 4096;
  const shm::Segment segment = make_rig_segment(wide);
  feed(segment, 0, {"a"});
  Child worker([&] { RiggedWorker(segment, spec).row().run(); });
  Child child([&] { run_child_of_row(segment, {}); });
  shm::RingReader reader(segment.map_consumer(3), 0);
  Texts items;
  const Deadline deadline{std::chrono::seconds(30)};
  for (bool ended = false; !ended && !deadline.passed();) {
    const shm::Record* record = reader.try_peek();
    if (record == nullptr) {
      reader.release();
      reader.wait(0, kSecondNs);
      continue;
    }
    ended = record->kind == shm::RecordKind::end;
    if (record->kind == shm::RecordKind::item) {
      items.push_back(text_of(*record));
    }
    reader.advance();
  }
  EXPECT_FALSE(deadline.passed()) << "row and child wait for one another";
  EXPECT_EQ(items, Texts{"<1999>"});
}

}  // namespace
}  // namespace pystream::worker
