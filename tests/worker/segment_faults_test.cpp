#include <pystream/error.hpp>

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

}  // namespace
}  // namespace pystream::worker
