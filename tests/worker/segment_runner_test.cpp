#include "worker/segment_runner.hpp"

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
