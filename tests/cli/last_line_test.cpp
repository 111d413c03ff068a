#include "cli/last_line.hpp"

#include <gtest/gtest.h>

#include "cli/frame.hpp"

namespace pystream::cli {
namespace {

RunEnd end_with(coord::Audit audit, coord::Outcome outcome = coord::Outcome::done) {
  return {.outcome = outcome, .failure = "no more", .audit = std::move(audit), .letters_command = "list them"};
}

TEST(LastLine, NothingIsSaidWhereEverythingArrived) {
  const RunEnd end = end_with({.in = 10, .out = 10});
  EXPECT_EQ(last_line(end), "");
  EXPECT_EQ(exit_code(end), kDone);
}

TEST(LastLine, DeadLettersAreCountedAndAcceptedOnlyIfAsked) {
  RunEnd end = end_with({.in = 10, .out = 8, .given_up = 2, .letters = 2});
  EXPECT_EQ(last_line(end), "10 items in, 8 out: 2 became dead letters; to see the dead letters: list them");
  EXPECT_EQ(exit_code(end), kIncomplete);
  end.accept_dead_letters = true;
  EXPECT_EQ(exit_code(end), kDone);
  end.audit.losses = 1;
  EXPECT_EQ(exit_code(end), kIncomplete) << "lost data is no dead letter";
}

TEST(LastLine, WhatThePlanAsksForIsSaidAndIsNoFailure) {
  const RunEnd end = end_with({.in = 10, .out = 6, .dropped = 3, .given_up = 1});
  EXPECT_EQ(last_line(end),
            "10 items in, 6 out: 1 was skipped (on_error, on_crash), 3 were dropped by full links (overflow)");
  EXPECT_EQ(exit_code(end), kDone);
}

/// Nothing asks for these: whatever the supervisor thinks of the run, it is no success.
TEST(LastLine, WhatIsLostOrDoubledInsideIsAFailure) {
  const RunEnd lost = end_with({.in = 10, .out = 9, .lost = 1});
  EXPECT_EQ(last_line(lost), "10 items in, 9 out: 1 was lost inside the pipeline");
  EXPECT_EQ(exit_code(lost), kFailed);
  const RunEnd doubled = end_with({.in = 10, .out = 12, .doubled = 2});
  EXPECT_EQ(last_line(doubled), "10 items in, 12 out: 2 were processed twice");
  EXPECT_EQ(exit_code(doubled), kFailed);
  const RunEnd refused = end_with({.in = 10, .out = 10, .refused = 1});
  EXPECT_EQ(last_line(refused), "10 items in, 10 out: 1 worker found a damaged record or one out of order");
  EXPECT_EQ(exit_code(refused), kFailed);
}

TEST(LastLine, AFailureAndAStopSayHowManyCameOut) {
  const RunEnd failed = end_with({.in = 10, .out = 6, .lost = 4}, coord::Outcome::failed);
  EXPECT_EQ(last_line(failed), "failed: no more; 10 items in, 6 out: the rest did not get through");
  EXPECT_EQ(exit_code(failed), kFailed);
  const RunEnd stopped = end_with({.in = 1, .out = 0, .lost = 1, .letters = 0}, coord::Outcome::interrupted);
  EXPECT_EQ(last_line(stopped),
            "stopped at once; items inside the pipeline were not finished; 1 item in, 0 out: the rest did not get "
            "through");
  EXPECT_EQ(exit_code(stopped), kInterrupted);
}

TEST(LastLine, ADrainThatTookTooLongSaysWhatItGaveUpAndWhere) {
  RunEnd end =
      end_with({.in = 20,
                .out = 13,
                .lost = 8,
                .left = {{.stage = "MainPipeline__Slow", .items = 6}, {.stage = "MainPipeline__Sink", .items = 1}}},
               coord::Outcome::interrupted);
  end.drain_timeout = std::chrono::milliseconds(1500);
  EXPECT_EQ(last_line(end),
            "stopped, as the drain took longer than 1.5s (--drain-timeout); gave up 7 items: 6 in front of Slow, 1 in "
            "front of Sink; 20 items in, 13 out: the rest did not get through");
  EXPECT_EQ(exit_code(end), kInterrupted);
  end.audit = {.in = 20, .out = 20};
  EXPECT_EQ(last_line(end),
            "stopped, as the drain took longer than 1.5s (--drain-timeout); gave up no item; 20 items in, 20 out");
}

}  // namespace
}  // namespace pystream::cli
