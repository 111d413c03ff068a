#include "coord/orphan_drainer.hpp"

#include <gtest/gtest.h>

#include <pystream/error.hpp>
#include <string>

#include "setup/layout.hpp"
#include "support/link.hpp"

namespace pystream::coord {
namespace {

using namespace pystream::test;

/// What the user's process feeds and reads, without the worker between the two: the test is that worker.
class OrphanDrainerTest : public ::testing::Test {
 protected:
  static plan::Plan make_plan() {
    plan::Plan plan;
    plan.root.name = plan::kMainPipeline;
    plan.root.children.resize(1);
    plan.root.children[0].name = "A";
    plan.root.children[0].stage.emplace();
    plan.entry = plan::EndKind::external;
    plan.exit = plan::EndKind::external;
    return plan;
  }
  shm::RingReader input() const { return {segment_.map_consumer(0), 0}; }
  shm::RingWriter output() const { return shm::RingWriter(segment_.map_producer(1)); }
  /// What it says of the damage; empty if it sees none.
  std::string error() const {
    try {
      OrphanDrainer(topology_, segment_).advance();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  const plan::Plan plan_ = make_plan();
  const plan::Topology topology_ = plan::make_topology(plan_);
  const shm::Segment segment_ = shm::Segment::create(setup::segment_spec(topology_, std::vector<std::uint64_t>(1), {}));
};

TEST_F(OrphanDrainerTest, EndsWhatWasFedAndDiscardsWhatComesOut) {
  OrphanDrainer sut(topology_, segment_);
  sut.advance();
  shm::RingReader fed = input();
  const shm::Record* end = fed.try_peek();
  ASSERT_NE(end, nullptr);
  EXPECT_EQ(end->kind, shm::RecordKind::end);

  shm::RingWriter results = output();
  put(results, "1");
  put(results, "2");
  results.commit({.inputs_done = 2});
  sut.advance();
  EXPECT_FALSE(sut.ended());
  ASSERT_TRUE(results.try_mark(shm::RecordKind::end, {}));
  results.commit({.inputs_done = 3});
  sut.advance();
  EXPECT_TRUE(sut.ended());
  EXPECT_EQ(sut.discarded(), 2U);
}

TEST_F(OrphanDrainerTest, WhatTheUserHadReadOfARunIsNotDiscarded) {
  shm::RingWriter results = output();
  ASSERT_EQ(put_run(results, std::vector<std::string>(5, "r")), 5U);
  results.commit({.inputs_done = 5});
  {
    shm::RingReader user(segment_.map_consumer(1), 0);
    take(user);
    take(user);
    user.release();
  }
  OrphanDrainer sut(topology_, segment_);
  sut.advance();
  EXPECT_EQ(sut.discarded(), 3U);
}

TEST_F(OrphanDrainerTest, ADamagedJournalOfWhatWasFedIsNamed) {
  segment_.map_producer(0).own->write_position = 4096;
  EXPECT_TRUE(error().starts_with("link Entry -> A is damaged")) << error();
}

TEST_F(OrphanDrainerTest, ADamagedResultIsNamed) {
  shm::RingWriter results = output();
  put(results, "1");
  results.commit({.inputs_done = 1});
  segment_.map_producer(1).ring[0] ^= std::byte{0xff};
  EXPECT_TRUE(error().starts_with("link A -> Exit is damaged")) << error();
}

}  // namespace
}  // namespace pystream::coord
