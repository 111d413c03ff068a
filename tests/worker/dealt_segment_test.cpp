#include "worker/runner_support.hpp"

/// Segments in front of, among and behind replicas.
namespace pystream::worker {
namespace {

using namespace pystream::test;
using namespace pystream::worker::test;

RigSpec spec_with(RawFunction function) {
  RigSpec spec = spec_of(std::move(function));
  spec.answers = true;
  return spec;
}

void shout(const Item& in, Output& out) {
  emit_text(out, text_of(in) + "!");
}

TEST(DealtSegmentTest, AReplicaAnswersWhatIsDealtToIt) {
  RigSpec spec = spec_with(shout);
  spec.is_dealt_to = true;
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b", "c"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_TRUE(sut.runner().ended());
  EXPECT_EQ(records_of(segment, 1), (Texts{"a!^1", "c!^1", "$"}));
}

TEST(DealtSegmentTest, OnlyTheLastOutputClosesAndATombstoneWhereThereIsNone) {
  RigSpec spec = spec_with([](const Item& in, Output& out) {
    for (std::uint64_t i = 0; i < in.sequence(); ++i) {
      shout(in, out);
    }
  });
  spec.is_dealt_to = true;
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b", "c"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"#^1", "c!", "c!^1", "$"}));
}

TEST(DealtSegmentTest, WhatIsForOthersIsReleasedBeforeASleep) {
  RigSpec spec = spec_with(shout);
  spec.is_dealt_to = true;
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b"}, false);
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  sut.runner().wait_for_input();
  const shm::ConsumerEnd end = segment.map_consumer(0);
  EXPECT_EQ(end.own->read_position, end.peer->write_position);
}

TEST(DealtSegmentTest, ACollectorTakesUnitsInTurn) {
  RigSpec spec = spec_of(shout);
  spec.collects = plan::Collect::turn;
  const shm::Segment segment = make_rig_segment(spec);
  feed_units(segment, 0, {{"a"}, {}, {"b", "c"}});
  feed_units(segment, rig_second_input(spec), {{"x", "y"}, {"z"}});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_TRUE(sut.runner().ended());
  Texts records = records_of(segment, 1);
  std::erase(records, "#");  // what gave nothing may be committed by itself
  EXPECT_EQ(records, (Texts{"a!", "x!", "y!", "z!", "b!", "c!", "$"}));
}

TEST(DealtSegmentTest, ACollectorWaitsForTheOneWhoseTurnItIs) {
  RigSpec spec = spec_of(shout);
  spec.collects = plan::Collect::turn;
  const shm::Segment segment = make_rig_segment(spec);
  feed_units(segment, rig_second_input(spec), {{"x"}});
  RiggedWorker sut(segment, spec);
  EXPECT_FALSE(sut.runner().run_batch());
  feed_units(segment, 0, {{"a"}});
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"a!", "x!", "$"}));
}

RigSpec following_spec(RawFunction function) {
  RigSpec spec = spec_of(std::move(function));
  spec.collects = plan::Collect::dealing;
  return spec;
}

TEST(DealtSegmentTest, ACollectorFollowsTheDealing) {
  const RigSpec spec = following_spec(shout);
  const shm::Segment segment = make_rig_segment(spec);
  feed_dealing(segment, rig_followed(spec), {1, 1, 0, 1, 0, 0});
  feed_units(segment, 0, {{"a"}, {}, {"b", "c"}});
  feed_units(segment, rig_second_input(spec), {{"x", "y"}, {"z"}, {"u"}});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_TRUE(sut.runner().ended());
  Texts records = records_of(segment, 1);
  std::erase(records, "#");
  EXPECT_EQ(records, (Texts{"x!", "y!", "z!", "a!", "u!", "b!", "c!", "$"}));
  const shm::ConsumerEnd dealing = segment.map_consumer(rig_followed(spec), 2);
  EXPECT_EQ(dealing.own->read_number, 6U) << "all but the end";
}

TEST(DealtSegmentTest, ACollectorKeepsTheDealtRecordUntilItsUnitIsClosed) {
  const RigSpec spec = following_spec(shout);
  const shm::Segment segment = make_rig_segment(spec);
  feed_dealing(segment, rig_followed(spec), {0, 1}, false);
  {
    shm::RingWriter ring(segment.map_producer(0));
    ASSERT_TRUE(put(ring, "a"));
    ring.commit({.inputs_done = 0, .parts_out = 1});
  }
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"a!"}));
  EXPECT_EQ(segment.map_consumer(rig_followed(spec), 2).own->read_number, 0U);
  {
    shm::RingWriter ring(segment.map_producer(0));
    ASSERT_TRUE(put(ring, "b"));
    ring.set_closes(1);
    ring.commit({.inputs_done = 1});
  }
  run_batches(sut);
  EXPECT_EQ(segment.map_consumer(rig_followed(spec), 2).own->read_number, 1U);
}

TEST(DealtSegmentTest, ASuccessorOfACollectorGoesOnInTheMidstOfAUnit) {
  const RigSpec spec = following_spec(shout);
  const shm::Segment segment = make_rig_segment(spec);
  feed_dealing(segment, rig_followed(spec), {1, 0});
  {
    shm::RingWriter ring(segment.map_producer(rig_second_input(spec)));
    ASSERT_TRUE(put(ring, "x"));
    ring.commit({.inputs_done = 0, .parts_out = 1});
  }
  {
    RiggedWorker dies(segment, spec);
    run_batches(dies);
  }
  feed_units(segment, rig_second_input(spec), {{"y"}});
  feed_units(segment, 0, {{"a"}});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_TRUE(sut.runner().ended());
  EXPECT_EQ(records_of(segment, 1), (Texts{"x!", "y!", "a!", "$"}));
}

TEST(DealtSegmentTest, MarksThatAnswerNothingAreTakenBeforeAnythingIsDealt) {
  const RigSpec spec = following_spec(shout);
  const shm::Segment segment = make_rig_segment(spec);
  {
    shm::RingWriter ring(segment.map_producer(rig_second_input(spec)));
    ASSERT_TRUE(ring.try_mark(shm::RecordKind::tombstone, {}, 0));
    ring.commit({.inputs_done = 0});
  }
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  const shm::ConsumerEnd end = segment.map_consumer(rig_second_input(spec));
  EXPECT_EQ(end.own->read_position, end.peer->write_position);
}

TEST(DealtSegmentTest, AnAnswerToWhatWasNotDealtIsDamage) {
  const RigSpec spec = following_spec(shout);
  const shm::Segment segment = make_rig_segment(spec);
  feed_units(segment, 0, {{"a"}});
  RiggedWorker sut(segment, spec);
  EXPECT_THROW(run_batches(sut), shm::LinkCorrupt);
}

TEST(DealtSegmentTest, ACollectorCommitsInputsWithoutOutputWithATombstone) {
  RigSpec spec = spec_of([](const Item&, Output&) {});
  spec.collects = plan::Collect::turn;
  const shm::Segment segment = make_rig_segment(spec);
  feed_units(segment, 0, {{"a"}});
  feed_units(segment, rig_second_input(spec), {{"x"}});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  const Texts records = records_of(segment, 1);
  ASSERT_GE(records.size(), 2U);
  EXPECT_EQ(records.front(), "#");
  EXPECT_EQ(records.back(), "$");
}

TEST(DealtSegmentTest, AReplicaMakesARunOfARunThatIsDealtToIt) {
  const auto next_letter = [] { return one(typed<char, char>([](char in) { return static_cast<char>(in + 1); })); };
  RigSpec replica{.segments = {{.make = next_letter, .in_runs = true}}, .answers = true, .is_dealt_to = true};
  const shm::Segment segment = make_rig_segment(replica);
  feed_run(segment, 0, {"a", "b", "c"});
  RiggedWorker sut(segment, replica);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"b", "c", "d^1", "$"}));
  shm::RingReader reader(segment.map_consumer(1), 0);
  EXPECT_EQ(take(reader), "b") << "the first item is timed by itself";
  const shm::FoundItems found = reader.try_items(1, 512, kAll);
  EXPECT_EQ(found.items, 2U) << "in one record";
  EXPECT_EQ(found.closes, 1);
}

TEST(DealtSegmentTest, TheJournalOfAReplicaCountsWhatWasDealtToOthersBetweenItsRuns) {
  const auto next_letter = [] { return one(typed<char, char>([](char in) { return static_cast<char>(in + 1); })); };
  RigSpec replica{.segments = {{.make = next_letter, .in_runs = true}}, .answers = true, .is_dealt_to = true};
  const shm::Segment segment = make_rig_segment(replica);
  feed_runs(segment, 0, {{"a", "b", "c"}, {"u", "v", "w"}, {"d", "e", "f"}}, false);
  RiggedWorker sut(segment, replica);
  run_batches(sut);
  EXPECT_EQ(shm::RingWriter(segment.map_producer(1)).journal().inputs_done, 9U);
}

TEST(DealtSegmentTest, AJournalThatNamesALinkThatThereIsNotIsDamage) {
  RigSpec spec = spec_of(shout);
  spec.collects = plan::Collect::turn;
  const shm::Segment segment = make_rig_segment(spec);
  segment.map_producer(1).own->journal[0].flags = 7 << shm::kJournalCollectShift;
  EXPECT_THROW(RiggedWorker(segment, spec), shm::LinkCorrupt);
}

TEST(DealtSegmentTest, BehindReplicasAnAsynchronousStageGetsInputsAheadOfItsAnswers) {
  std::size_t most = 0;
  RigSpec spec{.segments = {{.make = [&] { return one(detail::adapt(std::make_unique<Gatherer>(&most))); }}}};
  spec.collects = plan::Collect::turn;
  const shm::Segment segment = make_rig_segment(spec);
  feed_units(segment, 0, {{"a"}, {"b"}, {"c"}, {}});
  feed_units(segment, rig_second_input(spec), {{"x", "y"}, {}, {"z"}});
  RiggedWorker sut(segment, spec);
  sut.row().run();
  EXPECT_EQ(most, 3U);
  Texts records = records_of(segment, 1);
  std::erase(records, "#");
  EXPECT_EQ(records, (Texts{"a!", "x!", "y!", "b!", "c!", "z!", "$"}));
  EXPECT_EQ(segment.map_consumer(0).own->read_number, 4U) << "all but the end is released";
  EXPECT_EQ(segment.map_consumer(rig_second_input(spec)).own->read_number, 4U);
}

/// A replica steps over what is for others, and must release it before it sleeps.
TEST(DealtSegmentTest, AnAsynchronousReplicaReleasesWhatIsForOthers) {
  const RigSpec spec{.segments = {{.make = [] { return one(detail::adapt(std::make_unique<Gatherer>())); }}},
                     .answers = true,
                     .is_dealt_to = true};
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b", "c", "d"}, false);  // dealt in turn
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(segment.map_consumer(0).own->read_number, 3U);
  std::jthread end([&] {
    EXPECT_TRUE(wait_until([&] { return segment.map_consumer(0).own->read_number == 4; }));
    feed(segment, 0, {});
  });
  sut.row().run();
  EXPECT_EQ(records_of(segment, 1), (Texts{"a!^1", "c!^1", "$"}));
}

}  // namespace
}  // namespace pystream::worker
