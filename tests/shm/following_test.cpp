#include <string>
#include <vector>

#include "support/link.hpp"

/// Links whose records are not dealt in turn: two takers, and one end that follows the dealing.
namespace pystream::shm {
namespace {

using namespace pystream::test;
using Texts = std::vector<std::string>;

Segment make_followed_link(Sharing sharing, LinkSize size = {}) {
  size.consumers = {1, 2, 3};
  size.ring_bytes = 4096;
  size.item_limit = 64 * 1024;
  size.sharing = sharing;
  return Segment::create({.workers = {{}, {}, {}, {}}, .links = {size}, .plan = "{}"});
}

/// The first letter is the key.
std::uint64_t first_letter(std::span<const std::byte> item) {
  if (item.empty()) {
    throw std::invalid_argument("an item without a key");
  }
  return static_cast<std::uint64_t>(item.front());
}

class FollowingTest : public ::testing::Test {
 protected:
  explicit FollowingTest(Sharing sharing = Sharing::key, const LinkSize& size = {})
      : segment_(make_followed_link(sharing, size)) {}

  void deal_all(const Texts& texts) {
    for (const std::string& text : texts) {
      ASSERT_TRUE(put_and_commit(sut_, text)) << text;
    }
  }
  /// To whom the records were dealt that were not followed yet.
  std::vector<std::uint32_t> follow() {
    std::vector<std::uint32_t> all;
    while (const Record* record = follower_.try_peek()) {
      if (record->kind == RecordKind::end) {
        break;
      }
      all.push_back(follower_.dealt_to());
      follower_.advance_unit();
    }
    return all;
  }
  RingReader reader(std::uint32_t index, std::uint64_t done = 0) const {
    return {segment_.map_consumer(0, index), done};
  }

  const Segment segment_;
  RingWriter sut_{segment_.map_producer(0), first_letter};
  RingReader first_ = reader(0);
  RingReader second_ = reader(1);
  RingReader follower_ = reader(2);
};

TEST_F(FollowingTest, AllRecordsOfOneKeyGoToTheSameTaker) {
  const Texts items{"a1", "b1", "a2", "c1", "b2", "a3", "c2", "d1", "d2"};
  deal_all(items);
  const std::vector<std::uint32_t> dealt = follow();
  ASSERT_EQ(dealt.size(), items.size());
  std::map<char, std::uint32_t> of_key;
  std::vector<Texts> expected(2);
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(of_key.emplace(items[i][0], dealt[i]).first->second, dealt[i]) << items[i];
    ASSERT_LT(dealt[i], 2U);
    expected[dealt[i]].push_back(items[i]);
  }
  EXPECT_EQ(take_all(first_), expected[0]);
  EXPECT_EQ(take_all(second_), expected[1]);
}

TEST_F(FollowingTest, KeysThatFollowOneAnotherAreSpread) {
  std::vector<std::uint32_t> dealt;
  for (int letter = 'A'; letter < 'A' + 32; ++letter) {
    ASSERT_TRUE(put_and_commit(sut_, std::string(1, static_cast<char>(letter))));
  }
  for (const std::uint32_t to : follow()) {
    dealt.push_back(to);
  }
  const auto of_first = std::ranges::count(dealt, 0U);
  EXPECT_GT(of_first, 8);
  EXPECT_LT(of_first, 24);
}

TEST_F(FollowingTest, TheKeyOfALargeItemIsFoundInItsBytes) {
  ASSERT_TRUE(put_and_commit(sut_, std::string(10'000, 'a')));
  ASSERT_TRUE(put_and_commit(sut_, "a"));
  const std::vector<std::uint32_t> dealt = follow();
  ASSERT_EQ(dealt.size(), 2U);
  EXPECT_EQ(dealt[0], dealt[1]);
}

TEST_F(FollowingTest, AnItemWithoutAKeyIsNotWritten) {
  deal_all({"a"});
  ASSERT_NE(sut_.try_reserve(0), nullptr);
  EXPECT_THROW(sut_.finish(0, {}), std::invalid_argument);
  EXPECT_FALSE(sut_.has_uncommitted());
  deal_all({"b"});
  EXPECT_EQ(follow().size(), 2U);
}

TEST(FollowingLargeTest, ALargeItemWithoutAKeyTakesNoRoom) {
  const Segment segment = make_followed_link(Sharing::key);
  bool has_key = false;
  RingWriter ring(segment.map_producer(0), [&](std::span<const std::byte>) -> std::uint64_t {
    if (!has_key) {
      throw std::invalid_argument("no key");
    }
    return 0;
  });
  RingReader follower(segment.map_consumer(0, 2), 0);
  ASSERT_NE(ring.try_reserve(10'000), nullptr);
  EXPECT_THROW(ring.finish(10'000, {}), std::invalid_argument);
  has_key = true;
  ASSERT_TRUE(put(ring, payload_of(1, 10'000)));
  ring.commit({.inputs_done = 1});
  EXPECT_EQ(take(follower), payload_of(1, 10'000));
}

TEST_F(FollowingTest, RunsAreNotForItemsOfDifferentKeys) {
  EXPECT_EQ(sut_.run_limit(), 0U);
}

TEST_F(FollowingTest, WhatIsNotFollowedStays) {
  const std::string item(200, 'a');
  std::size_t dealt = 0;
  while (put_and_commit(sut_, item)) {
    ++dealt;
    take_all(first_);
    take_all(second_);
    first_.release();
    second_.release();
  }
  EXPECT_LT(dealt * item.size(), 4096U);
  EXPECT_EQ(follow().size(), dealt);
  EXPECT_FALSE(put_and_commit(sut_, item)) << "followed, and not released";
  follower_.release();
  EXPECT_TRUE(put_and_commit(sut_, item));
}

TEST_F(FollowingTest, WhatTheTakersAreDoneWithIsDoneForWhoeverWatches) {
  deal_all({"a", "b"});
  for (RingReader* taker : {&first_, &second_}) {
    take_all(*taker);
    taker->release();
  }
  const SupervisorView view = segment_.map_supervisor();
  EXPECT_EQ(view.links[0].done_number(), 2U);
  EXPECT_EQ(view.links[0].taken_position(), view.links[0].producer->write_position);
  EXPECT_EQ(view.links[0].read_position(), 0U) << "nothing was collected";
}

TEST_F(FollowingTest, TheEndIsForAllThree) {
  deal_all({"a"});
  ASSERT_TRUE(sut_.try_mark(RecordKind::end, {}));
  sut_.commit({.inputs_done = 2});
  for (RingReader* taker : {&first_, &second_}) {
    if (taker->try_peek()->is_item()) {
      taker->advance();
    }
  }
  follow();
  for (RingReader* end : {&first_, &second_, &follower_}) {
    ASSERT_NE(end->try_peek(), nullptr);
    EXPECT_EQ(end->try_peek()->kind, RecordKind::end);
  }
}

TEST_F(FollowingTest, ASuccessorFollowsFromWhereTheJournalSays) {
  deal_all({"a", "b", "c", "d"});
  const std::vector<std::uint32_t> all = follow();
  RingReader successor = reader(2, 2);
  std::vector<std::uint32_t> rest;
  while (successor.try_peek() != nullptr) {
    rest.push_back(successor.dealt_to());
    successor.advance_unit();
  }
  EXPECT_EQ(rest, std::vector<std::uint32_t>(all.begin() + 2, all.end()));
}

class ItemLimitTest : public FollowingTest {
 protected:
  ItemLimitTest() : FollowingTest(Sharing::key, {.items_limit = 4}) {}
};

TEST_F(ItemLimitTest, CountsWhatTheTakersAreNotDoneWith) {
  deal_all({"a", "b", "c", "d"});
  EXPECT_FALSE(put_and_commit(sut_, "e"));
  take_all(first_);
  take_all(second_);
  first_.release();
  second_.release();
  EXPECT_TRUE(put_and_commit(sut_, "e")) << "although nothing was collected";
}

class LeastLoadedTest : public FollowingTest {
 protected:
  LeastLoadedTest() : FollowingTest(Sharing::least_loaded) {}
};

TEST_F(LeastLoadedTest, OfTwoThatHaveAsMuchToDoTheNextInTurnGetsTheItem) {
  deal_all({"a", "b", "c", "d"});
  EXPECT_EQ(follow(), (std::vector<std::uint32_t>{0, 1, 0, 1}));
}

TEST_F(LeastLoadedTest, WhoIsDoneGetsTheNextOnes) {
  deal_all({"a", "b", "c", "d"});
  take_all(second_);
  second_.release();
  deal_all({"e", "f"});
  EXPECT_EQ(follow(), (std::vector<std::uint32_t>{0, 1, 0, 1, 1, 1}));
}

TEST_F(LeastLoadedTest, ARunCountsByItsItems) {
  ASSERT_EQ(put_run(sut_, Texts{"a", "b", "c"}), 3U);
  sut_.commit({.inputs_done = 3});
  deal_all({"d", "e", "f", "g"});
  EXPECT_EQ(follow(), (std::vector<std::uint32_t>{0, 1, 1, 1, 0}));
}

TEST_F(LeastLoadedTest, ASuccessorKnowsWhatIsStillToDo) {
  deal_all({"a", "b", "c", "d"});
  take_all(second_);
  second_.release();
  RingWriter successor(segment_.map_producer(0));
  ASSERT_TRUE(put_and_commit(successor, "e"));
  ASSERT_TRUE(put_and_commit(successor, "f"));
  EXPECT_EQ(follow(), (std::vector<std::uint32_t>{0, 1, 0, 1, 1, 1}));
}

TEST_F(LeastLoadedTest, WhatWasRolledBackIsNobodysLoad) {
  deal_all({"a"});
  const RingWriter::Mark mark = sut_.mark();
  ASSERT_TRUE(put(sut_, "b"));
  ASSERT_TRUE(put(sut_, "c"));
  sut_.rollback_to(mark);
  deal_all({"d", "e"});
  EXPECT_EQ(follow(), (std::vector<std::uint32_t>{0, 1, 0}));
}

TEST_F(LeastLoadedTest, RefusesADealtRecordThatNamesTheFollower) {
  deal_all({"a"});
  const ProducerEnd end = segment_.map_producer(0);
  auto* const word = reinterpret_cast<std::uint64_t*>(end.ring + 8);
  *word = (*word & kDealtSequenceMask) | std::uint64_t{2} << kConsumerShift;
  EXPECT_THROW(follow(), LinkCorrupt);
  EXPECT_THROW(RingWriter(segment_.map_producer(0)), LinkCorrupt);
}

}  // namespace
}  // namespace pystream::shm
