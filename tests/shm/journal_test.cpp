#include "shm/journal.hpp"

#include "support/link.hpp"

namespace pystream::shm {
namespace {

using namespace pystream::test;

class JournalTest : public ::testing::Test {
 protected:
  const Segment segment_ = make_link();
  const ProducerEnd end_ = segment_.map_producer(0);
  const ProducerCheck check_{0, *end_.own};
};

TEST_F(JournalTest, ACommitFillsTheEntryThatDoesNotCount) {
  Journal sut(*end_.own, check_);
  EXPECT_EQ(&sut.entry(), &end_.own->journal[0]);
  sut.commit({.position = 64, .number = 2, .large_position = 128, .large_ordinal = 1, .outputs = 2},
             {.inputs_done = 5, .parts_out = 1, .cycles = 4});
  EXPECT_EQ(&sut.entry(), &end_.own->journal[1]);
  EXPECT_EQ(end_.own->journal[0].write_position, 0U) << "a successor of one killed before the commit needs it";
  EXPECT_EQ(end_.own->write_position, 64U);
  EXPECT_EQ(end_.own->written_number, 2U);
  EXPECT_EQ(end_.own->large_written, 1U);
  EXPECT_EQ(sut.entry().inputs_done, 5U);
  EXPECT_EQ(sut.entry().parts_out, 1U);
}

TEST_F(JournalTest, ASuccessorFindsWhatWasCommittedLast) {
  for (std::uint64_t i = 1; i <= 3; ++i) {
    Journal predecessor(*end_.own, check_);
    predecessor.commit({.position = i * 16, .number = i, .outputs = i}, {.inputs_done = i});
    const Journal sut(*end_.own, check_);
    EXPECT_EQ(sut.committed(), i * 16);
    EXPECT_EQ(sut.written().number, i);
    EXPECT_EQ(sut.written().outputs, i);
  }
}

TEST_F(JournalTest, ACommitWithoutOutputIsOneStore) {
  Journal sut(*end_.own, check_);
  sut.commit_inputs_done(9);
  EXPECT_EQ(sut.entry().inputs_done, 9U);
  EXPECT_EQ(sut.committed(), 0U);
  EXPECT_EQ(Journal(*end_.own, check_).entry().inputs_done, 9U);
}

TEST_F(JournalTest, NoEntryThatMatchesIsDamage) {
  end_.own->write_position = 48;
  EXPECT_THROW(Journal(*end_.own, check_), LinkCorrupt);
}

}  // namespace
}  // namespace pystream::shm
