#include "coord/stack_requests.hpp"

#include <gtest/gtest.h>

namespace pystream::coord {
namespace {

using namespace std::chrono_literals;
using Ids = std::vector<plan::WorkerId>;

TEST(StackRequestsTest, AWorkerIsKilledOnceItHasAnswered) {
  StackRequests sut;
  std::uint32_t answers = 3;
  const auto answers_of = [&](plan::WorkerId) { return answers; };
  sut.add(5, answers, 1h);
  EXPECT_EQ(sut.due(answers_of, 1h + 1ms), Ids{});
  ASSERT_TRUE(sut.next_look(1h));
  EXPECT_LE(*sut.next_look(1h), 1h + 20ms) << "it hangs long enough already";
  ++answers;
  EXPECT_EQ(sut.due(answers_of, 1h + 2ms), Ids{5});
  EXPECT_EQ(sut.due(answers_of, 2h), Ids{}) << "once";
  EXPECT_EQ(sut.next_look(1h), std::nullopt);
}

TEST(StackRequestsTest, OneThatDoesNotAnswerIsKilledAfterASecond) {
  StackRequests sut;
  const auto answers_of = [](plan::WorkerId) { return 0U; };
  sut.add(1, 0, 1h);
  sut.add(2, 0, 1h + 500ms);
  EXPECT_EQ(sut.due(answers_of, 1h + 999ms), Ids{});
  EXPECT_EQ(sut.due(answers_of, 1h + 1s), Ids{1});
  EXPECT_EQ(sut.due(answers_of, 1h + 2s), Ids{2});
}

TEST(StackRequestsTest, OneThatHasEndedMeanwhileIsForgotten) {
  StackRequests sut;
  sut.add(1, 0, 1h);
  sut.remove(1);
  EXPECT_EQ(sut.due([](plan::WorkerId) { return 1U; }, 2h), Ids{});
}

}  // namespace
}  // namespace pystream::coord
