#include "support/child.hpp"
#include "worker/runner_support.hpp"

/// What a successor takes up.
namespace pystream::worker {
namespace {

using namespace pystream::test;
using namespace pystream::worker::test;

TEST(SegmentRecoveryTest, WhatASuccessorTakesUpIsWhatWasNotCommitted) {
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

TEST(SegmentRecoveryTest, AfterTheEndASuccessorHasNothingToDo) {
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

TEST(SegmentRecoveryTest, TheAttemptCountsDeathsOnThatItemOnly) {
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
                              auto all = one(detail::adapt(std::make_unique<CountingSource>()));
                              all.push_back(raw([](const Item& in, Output& out) {
                                if (in.sequence() % 10 == 9) {
                                  out.forward(in);
                                }
                              }));
                              return all;
                            },
                        .has_source = true}}};
}

TEST(SegmentRecoveryTest, ASourcesCursorIsCommittedWhenAllItGaveWasFiltered) {
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

/// Kills the worker as soon as it is blocked, again and again, reading at most `some` records in between; gives all
/// that came out.
Texts output_under_kills(const shm::Segment& segment, const RigSpec& spec, int some) {
  shm::RingReader reader(segment.map_consumer(1), 0);
  Texts all;
  while (all.empty() || all.back() != "$") {
    segment.map_worker(1).page->phase = 0;
    BlockedWorker worker(segment, spec);
    bool ended = false;
    if (!wait_until([&] { return worker.is_blocked() || (ended = worker.child().ended()); })) {
      ADD_FAILURE() << "the worker hangs; so far " << all.size() << " records came out";
      return all;
    }
    if (!ended) {
      worker.child().kill();
    } else if (worker.child().status() != 0) {
      ADD_FAILURE() << "the successor refused what its predecessor left";
      return all;
    }
    const std::size_t before = all.size();
    for (int i = 0; i < some; ++i) {
      const shm::Record* record = reader.try_peek();
      if (record == nullptr) {
        break;
      }
      all.push_back(record->kind == shm::RecordKind::end ? "$" : text_of(*record));
      reader.advance();
    }
    reader.release();
    if (ended && all.size() == before) {
      ADD_FAILURE() << "the worker ended without an end";
      return all;
    }
  }
  return all;
}

/// Worker 1 between a link from worker 0 and one back to it.
shm::Segment make_segment(shm::LinkSize in, shm::LinkSize out) {
  in.producer = 0;
  in.consumers = {1};
  out.producer = 1;
  out.consumers = {0};
  return shm::Segment::create({.workers = {{}, {.stages = 1}}, .links = {in, out}, .plan = ""});
}

TEST(SegmentRecoveryTest, KilledWhileItWaitsForRoomBehindFilteredItems) {
  const RigSpec spec = spec_of([](const Item& in, Output& out) {
    if (in.sequence() % 10 == 0) {
      out.emit_bytes(in.bytes());
    }
  });
  const shm::Segment segment = make_segment({.ring_bytes = 16'384, .item_limit = 20'000, .items_limit = 0},
                                            {.ring_bytes = 16'384, .item_limit = 20'000, .items_limit = 2});
  Texts items;
  Texts expected;
  for (int i = 0; i < 300; ++i) {
    items.push_back(std::to_string(i));
    if (i % 10 == 0) {
      expected.push_back(items.back());
    }
  }
  expected.push_back("$");
  feed(segment, 0, items);
  EXPECT_EQ(output_under_kills(segment, spec, 2), expected);
}

TEST(SegmentRecoveryTest, KilledWhileItWaitsForRoomForTheEndMark) {
  const RigSpec spec = spec_of([](const Item& in, Output& out) { out.forward(in); });
  const shm::Segment segment = make_segment({.ring_bytes = 65'536, .item_limit = 1000},
                                            {.ring_bytes = 4096, .item_limit = 1000, .items_limit = 1});
  Texts items;
  for (int i = 0; i < 64; ++i) {
    items.push_back(payload_of(static_cast<std::uint64_t>(i), 16));  // 64 with an end mark do not fit the link away
  }
  feed(segment, 0, items);
  items.push_back("$");
  EXPECT_EQ(output_under_kills(segment, spec, 1), items);
}

TEST(SegmentRecoveryTest, KilledInTheMidstOfMoreOutputsThanTheLinkHolds) {
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
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b", "c"});
  EXPECT_EQ(output_under_kills(segment, spec, 5), expected);
}

/// Numbers in 16 bytes, one in a call, but several from each multiple of 30 on.
class BurstsOfNumbers final : public RawSource<CountingCursor> {
 public:
  static constexpr std::uint64_t kCount = 2000;
  static std::string text(std::uint64_t number) {
    const std::string digits = std::to_string(number);
    return digits + std::string(16 - digits.size(), '.');
  }
  bool produce(Output& out) override {
    for (int left = cursor().next % 30 == 0 ? 7 : 1; left > 0; --left) {
      emit_text(out, text(cursor().next++));
    }
    return cursor().next < kCount;
  }
};

TEST(SegmentRecoveryTest, KilledWhileACallThatLeftItsRunWaitsForRoom) {
  const RigSpec spec{.segments = {{.make = [] { return one(detail::adapt(std::make_unique<BurstsOfNumbers>())); },
                                   .has_source = true,
                                   .in_runs = true}},
                     .link = {.ring_bytes = 4096, .item_limit = 20'000, .items_limit = 40}};
  Texts expected;
  for (std::uint64_t number = 0; number < BurstsOfNumbers::kCount; ++number) {
    expected.push_back(BurstsOfNumbers::text(number));
  }
  expected.push_back("$");
  const shm::Segment segment = make_rig_segment(spec);
  EXPECT_EQ(output_under_kills(segment, spec, 29), expected);
}

}  // namespace
}  // namespace pystream::worker
