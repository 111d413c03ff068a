#include "worker/segment_runner.hpp"

#include "support/child.hpp"
#include "worker/runner_support.hpp"

namespace pystream::worker {
namespace {

using namespace pystream::test;
using namespace pystream::worker::test;

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

TEST(SegmentRunnerTest, WhatItKeepsForOthersIsGivenBackInTime) {
  RigSpec spec = spec_of([](const Item& in, Output& out) { out.forward(in); });
  spec.link.large_limit = 9;
  const shm::Segment segment = make_rig_segment(spec);
  Child worker([&] { RiggedWorker(segment, spec).row().run(); });
  shm::RingWriter source(segment.map_producer(0));
  shm::RingReader sink(segment.map_consumer(1), 0);
  std::uint64_t fed = 0;
  const auto try_to_feed = [&] {
    if (!put(source, payload_of(fed, 10'000), {.sequence = fed})) {
      return false;
    }
    source.commit({.inputs_done = ++fed});
    return true;
  };
  const auto arrives = [&](std::uint64_t number) {
    return wait_until([&] { return sink.try_peek() != nullptr; }) && take(sink) == payload_of(number, 10'000);
  };
  const shm::ConsumerEnd input = segment.map_consumer(0);
  const std::atomic<std::uint64_t>& given_back = input.own->read_number;

  ASSERT_TRUE(try_to_feed());
  ASSERT_TRUE(arrives(0));
  EXPECT_EQ(given_back, 0U);
  sink.release();
  EXPECT_TRUE(wait_until([&] { return given_back == 1; })) << "nothing more came, and nobody asked";

  std::uint64_t arrived = 1;
  while (try_to_feed()) {
    ASSERT_TRUE(arrives(arrived++));
  }
  sink.release();
  EXPECT_TRUE(wait_until(try_to_feed)) << "there is room, and nobody has passed it on";
  ASSERT_TRUE(arrives(arrived));
  ASSERT_TRUE(source.try_mark(shm::RecordKind::end, {}));
  source.commit({.inputs_done = fed});
  EXPECT_EQ(worker.wait(), 0);
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

}  // namespace
}  // namespace pystream::worker
