#include <pystream/codec.hpp>

#include "worker/runner_support.hpp"

/// Segments in front of, in and behind branches.
namespace pystream::worker {
namespace {

using namespace pystream::test;
using namespace pystream::worker::test;

void shout(const Item& in, Output& out) {
  emit_text(out, text_of(in) + "!");
}

void show_parts(const Item& in, Output& out) {
  std::string text;
  for (const std::span<const std::byte> part : tuple_parts(in.bytes())) {
    text += "(" + std::string(reinterpret_cast<const char*>(part.data()), part.size()) + ")";
  }
  emit_text(out, text);
}

RigSpec joined_by(plan::Collect collect, RawFunction function, bool answers = false) {
  RigSpec spec = spec_of(std::move(function));
  spec.collects = collect;
  spec.answers = answers;
  return spec;
}

/// Answers of a branch, an item each, without an end.
void feed_answers(const shm::Segment& segment, std::uint32_t link, const Texts& answers, std::uint8_t closes = 1) {
  shm::RingWriter ring(segment.map_producer(link));
  for (const std::string& answer : answers) {
    ASSERT_TRUE(put(ring, answer, {.sequence = ring.next_number()}));
    ring.set_closes(closes);
  }
  ring.commit({.inputs_done = ring.next_number()});
}

/// What the segment gives of what two branches gave; without tombstones that close nothing.
Texts outcome_of(const RigSpec& spec, const std::vector<Texts>& first, const std::vector<Texts>& second) {
  const shm::Segment segment = make_rig_segment(spec);
  feed_units(segment, 0, first);
  feed_units(segment, rig_second_input(spec), second);
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_TRUE(sut.runner().ended());
  Texts records = records_of(segment, 1);
  std::erase(records, "#");
  return records;
}

TEST(BranchSegmentTest, MergeTakesAllAnswersInTheOrderOfTheBranches) {
  EXPECT_EQ(outcome_of(joined_by(plan::Collect::merge, shout), {{"a"}, {}, {"b", "c"}}, {{"x", "y"}, {"z"}, {}}),
            (Texts{"a!", "x!", "y!", "z!", "b!", "c!", "$"}));
}

TEST(BranchSegmentTest, MergeNumbersThePartsOfAnItem) {
  const auto show_part = [](const Item& in, Output& out) { emit_text(out, std::to_string(in.part())); };
  EXPECT_EQ(outcome_of(joined_by(plan::Collect::merge, show_part), {{"a"}}, {{"x"}}), (Texts{"0", "1", "$"}));
}

TEST(BranchSegmentTest, ZipMakesOneItemOfTheAnswers) {
  EXPECT_EQ(outcome_of(joined_by(plan::Collect::zip, show_parts), {{"a"}, {"b"}}, {{"x"}, {""}}),
            (Texts{"(a)(x)", "(b)()", "$"}));
}

TEST(BranchSegmentTest, ZipGivesNothingWhereABranchGivesNothing) {
  EXPECT_EQ(outcome_of(joined_by(plan::Collect::zip, show_parts), {{"a"}, {}, {"c"}, {}}, {{}, {"y"}, {"z"}, {}}),
            (Texts{"(c)(z)", "$"}));
}

TEST(BranchSegmentTest, ZipRefusesASecondAnswerAsDamage) {
  const RigSpec spec = joined_by(plan::Collect::zip, show_parts);
  const shm::Segment segment = make_rig_segment(spec);
  feed_units(segment, 0, {{"a", "b"}});
  feed_units(segment, rig_second_input(spec), {{"x"}});
  RiggedWorker sut(segment, spec);
  EXPECT_THROW(run_batches(sut), shm::LinkCorrupt);
}

TEST(BranchSegmentTest, ZipReleasesNoAnswerBeforeItsItemIsDone) {
  const RigSpec spec = joined_by(plan::Collect::zip, show_parts);
  const shm::Segment segment = make_rig_segment(spec);
  feed_answers(segment, 0, {"a", "b"});
  feed_answers(segment, rig_second_input(spec), {"x"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(segment.map_consumer(0).own->read_number, 1U);
  feed_answers(segment, rig_second_input(spec), {"y"});
  run_batches(sut);
  EXPECT_EQ(segment.map_consumer(0).own->read_number, 2U);
  EXPECT_EQ(records_of(segment, 1), (Texts{"(a)(x)", "(b)(y)"}));
}

/// On a link for one item they would keep out the answer that they stand in front of.
TEST(BranchSegmentTest, ZipCommitsAndReleasesMarksInFrontOfAnAnswer) {
  const RigSpec spec = joined_by(plan::Collect::zip, show_parts);
  const shm::Segment segment = make_rig_segment(spec);
  {
    shm::RingWriter ring(segment.map_producer(0));
    ASSERT_TRUE(ring.try_mark(shm::RecordKind::tombstone, {}));
    ring.commit({});
  }
  RiggedWorker sut(segment, spec);
  EXPECT_FALSE(sut.runner().run_batch());
  EXPECT_EQ(segment.map_consumer(0).own->read_number, 1U);
  RiggedWorker successor(segment, spec);
  feed_answers(segment, 0, {"a"});
  feed_answers(segment, rig_second_input(spec), {"x"});
  run_batches(successor);
  EXPECT_EQ(records_of(segment, 1), (Texts{"#", "(a)(x)"}));
}

TEST(BranchSegmentTest, TheFirstAnswerCountsAndTheOthersAreSteppedOver) {
  const RigSpec spec = joined_by(plan::Collect::first, shout);
  const shm::Segment segment = make_rig_segment(spec);
  feed_units(segment, rig_second_input(spec), {{"x", "y"}, {"z"}});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_FALSE(sut.runner().ended()) << "the other branch is still at work";
  feed_units(segment, 0, {{"a"}, {"b"}});
  run_batches(sut);
  EXPECT_TRUE(sut.runner().ended());
  Texts records = records_of(segment, 1);
  std::erase(records, "#");
  EXPECT_EQ(records, (Texts{"x!", "y!", "z!", "$"}));
}

TEST(BranchSegmentTest, AnAnswerOfNothingIsNotTheFirstWhileOthersMayGiveOne) {
  EXPECT_EQ(outcome_of(joined_by(plan::Collect::first, shout), {{}, {}, {"c"}}, {{"x"}, {}, {}}),
            (Texts{"x!", "c!", "$"}));
}

/// Within a row or replicas an item is complete with the answer that ends it, and with no other.
TEST(BranchSegmentTest, OnlyTheLastRecordOfAnItemClosesWhatIsAround) {
  for (const plan::Collect collect : {plan::Collect::merge, plan::Collect::zip, plan::Collect::first}) {
    const RigSpec spec = joined_by(
        collect, [](const Item&, Output& out) { emit_text(out, "i"); }, true);
    const shm::Segment segment = make_rig_segment(spec);
    for (const std::uint32_t link : {0U, rig_second_input(spec)}) {
      feed_answers(segment, link, {"a"}, 2);
    }
    RiggedWorker sut(segment, spec);
    run_batches(sut);
    Texts records = records_of(segment, 1);
    std::erase(records, "#");
    EXPECT_EQ(records, (collect == plan::Collect::merge ? Texts{"i", "i^1"} : Texts{"i^1"}));
  }
}

TEST(BranchSegmentTest, ASecondOutputForOneInputIsAnErrorWhereAnswersAreZipped) {
  RigSpec spec = spec_of([](const Item& in, Output& out) {
    shout(in, out);
    if (in.sequence() == 1) {
      shout(in, out);
    }
  });
  spec.one_answer = true;
  const shm::Segment segment = make_rig_segment(spec);
  feed(segment, 0, {"a", "b", "c"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"a!", "#", "c!", "$"}));
  ASSERT_EQ(sut.letters.reasons.size(), 1U);
  EXPECT_THAT(sut.letters.reasons.front(), ::testing::HasSubstr("a second output for one input"));
}

}  // namespace
}  // namespace pystream::worker
