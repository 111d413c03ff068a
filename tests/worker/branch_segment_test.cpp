#include <cstring>
#include <optional>
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

/// An answer may end with a mark: its item was published before it was known to be the last.
TEST(BranchSegmentTest, ZipReleasesNoAnswerBeforeItsItemIsDone) {
  RigSpec spec = joined_by(plan::Collect::zip, show_parts);
  spec.segments.front().in_runs = true;  // fast: several items share a commit, and it reads on before that
  const shm::Segment segment = make_rig_segment(spec);
  feed_answers(segment, 0, {"a"});
  feed_answers(segment, 0, {"b"}, 0);
  feed_answers(segment, rig_second_input(spec), {"x"});
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(segment.map_consumer(0).own->read_number, 1U);
  {
    shm::RingWriter ring(segment.map_producer(0));
    ASSERT_TRUE(ring.try_mark(shm::RecordKind::tombstone, {}, 1));
    ring.commit({.inputs_done = 3});
  }
  feed_answers(segment, rig_second_input(spec), {"y"});
  run_batches(sut);
  EXPECT_EQ(segment.map_consumer(0).own->read_number, 3U);
  EXPECT_EQ(records_of(segment, 1), (Texts{"(a)(x)", "(b)(y)"}));
}

TEST(BranchSegmentTest, ZipTakesTheItemsOfRunsOneByOne) {
  const RigSpec spec = joined_by(plan::Collect::zip, show_parts);
  const shm::Segment segment = make_rig_segment(spec);
  feed_run_of_answers(segment, 0, "abc");
  feed_run_of_answers(segment, rig_second_input(spec), "xyz");
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"(a)(x)", "(b)(y)", "(c)(z)"}));
}

/// 16 bytes, as only such answers make a run.
void show_parts_in_16(const Item& in, Output& out) {
  std::string text;
  for (const std::span<const std::byte> part : tuple_parts(in.bytes())) {
    text += "(" + std::string(reinterpret_cast<const char*>(part.data()), part.size()) + ")";
  }
  emit_text(out, text + std::string(16 - text.size(), '.'));
}

TEST(BranchSegmentTest, ZipMakesARunOfRuns) {
  RigSpec spec = joined_by(plan::Collect::zip, show_parts_in_16);
  spec.segments.front().in_runs = true;
  const shm::Segment segment = make_rig_segment(spec);
  feed_run_of_answers(segment, 0, "abcdef");
  feed_run_of_answers(segment, 0, "gh");
  feed_run_of_answers(segment, rig_second_input(spec), "stuvwxyz");
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  shm::RingReader reader(segment.map_consumer(1), 0);
  EXPECT_EQ(take(reader), "(a)(s)..........") << "the first item is timed by itself";
  const shm::FoundItems found = reader.try_items(16, 512, kAll);
  EXPECT_EQ(found.items, 5U) << "as many as both links have in one record";
  EXPECT_EQ(found.step, 16U);
  reader.advance_items(5);
  EXPECT_EQ(take(reader), "(g)(y)..........");
  EXPECT_EQ(take(reader), "(h)(z)..........");
  EXPECT_EQ(reader.try_peek(), nullptr);
  EXPECT_EQ(segment.map_consumer(0).own->read_number, 8U);
  EXPECT_EQ(segment.map_consumer(rig_second_input(spec)).own->read_number, 8U);
}

TEST(BranchSegmentTest, ZipGoesOnInTheMidstOfRunsBehindAnItemThatDoesNotFit) {
  RigSpec spec = joined_by(plan::Collect::zip, [](const Item& in, Output& out) {
    if (in.sequence() == 3) {
      emit_text(out, "odd");
    } else {
      show_parts_in_16(in, out);
    }
  });
  spec.segments.front().in_runs = true;
  const shm::Segment segment = make_rig_segment(spec);
  feed_run_of_answers(segment, 0, "abcdef");
  feed_run_of_answers(segment, rig_second_input(spec), "uvwxyz");
  RiggedWorker sut(segment, spec);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"(a)(u)..........", "(b)(v)..........", "(c)(w)..........", "odd",
                                           "(e)(y)..........", "(f)(z).........."}));
}

TEST(BranchSegmentTest, ABranchMakesARunOfARunInWhichEachItemCloses) {
  const auto next_letter = [] { return one(typed<char, char>([](char in) { return static_cast<char>(in + 1); })); };
  const RigSpec branch{.segments = {{.make = next_letter, .in_runs = true}}, .answers = true};
  const shm::Segment segment = make_rig_segment(branch);
  feed_run_of_answers(segment, 0, "abcd", 2);
  feed(segment, 0, {});
  RiggedWorker sut(segment, branch);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"b^1", "c^1", "d^1", "e^2", "$"}));
  shm::RingReader reader(segment.map_consumer(1), 0);
  EXPECT_EQ(take(reader), "b") << "the first item is timed by itself";
  const shm::FoundItems found = reader.try_items(1, 512, kAll);
  EXPECT_EQ(found.items, 3U) << "in one record";
  EXPECT_EQ(found.closes_each, 1);
  EXPECT_EQ(found.closes, 2);
}

TEST(BranchSegmentTest, AStageThatFiltersAnswersTheItemsOfARunOneByOne) {
  const auto no_b = [] {
    return one(typed<std::optional<char>, char>([](char in) { return in == 'b' ? std::nullopt : std::optional(in); }));
  };
  const RigSpec branch{.segments = {{.make = no_b, .in_runs = true}}, .answers = true};
  const shm::Segment segment = make_rig_segment(branch);
  feed_run_of_answers(segment, 0, "abc");
  RiggedWorker sut(segment, branch);
  run_batches(sut);
  EXPECT_EQ(records_of(segment, 1), (Texts{"a^1", "#^1", "c^1"}));
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

/// As after a failure for good.
TEST(BranchSegmentTest, ABranchThatEndsEarlyIsNotWaitedFor) {
  for (const plan::Collect collect : {plan::Collect::merge, plan::Collect::zip, plan::Collect::first}) {
    EXPECT_EQ(outcome_of(joined_by(collect, shout), {{}}, {}), Texts{"$"});
    EXPECT_EQ(outcome_of(joined_by(collect, shout), {}, {{}}), Texts{"$"});
  }
}

TEST(BranchSegmentTest, ASuccessorTakesTheRestOfAnAnswerFromTheSameBranch) {
  const RigSpec spec = joined_by(plan::Collect::first, shout);
  const shm::Segment segment = make_rig_segment(spec);
  feed_answers(segment, rig_second_input(spec), {"x"}, 0);
  {
    RiggedWorker killed(segment, spec);
    run_batches(killed);
  }
  feed_answers(segment, 0, {"a"});
  RiggedWorker successor(segment, spec);
  run_batches(successor);
  feed_answers(segment, rig_second_input(spec), {"y"});
  run_batches(successor);
  Texts records = records_of(segment, 1);
  std::erase(records, "#");
  EXPECT_EQ(records, (Texts{"x!", "y!"}));
}

TEST(BranchSegmentTest, ASuccessorKnowsWhichItemEachBranchIsAt) {
  const RigSpec spec = joined_by(plan::Collect::first, shout);
  const shm::Segment segment = make_rig_segment(spec);
  feed_answers(segment, rig_second_input(spec), {"x", "y"});
  {
    RiggedWorker killed(segment, spec);
    run_batches(killed);
  }
  feed_answers(segment, 0, {"a", "b", "c"});
  RiggedWorker successor(segment, spec);
  run_batches(successor);
  EXPECT_EQ(records_of(segment, 1), (Texts{"x!", "y!", "c!"}));
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
