#include <gtest/gtest.h>

#include <pystream/testing.hpp>
#include <vector>

#include "number_lines.hpp"

using Lines = std::vector<std::string>;

TEST(NumberLines, NumbersEveryLineByDefault) {
  pystream::TestStage<NumberLines> stage;
  stage.feed("one");
  stage.feed("two");
  EXPECT_EQ(stage.outputs(), (Lines{"1 one", "2 two"}));
}

TEST(NumberLines, LeavesOutLinesWithoutTheWord) {
  pystream::TestStage<NumberLines> stage({{"word", "t"}});
  stage.feed("one");
  stage.feed("two");
  EXPECT_EQ(stage.outputs(), (Lines{"1 two"}));
}

TEST(NumberLines, CountsOnAfterACrash) {
  pystream::TestStage<NumberLines> stage;
  stage.feed("one");
  stage.feed("two");
  stage.crash();  // a new object, which gets "two" again
  stage.feed("three");
  EXPECT_EQ(stage.outputs(), (Lines{"1 one", "2 two", "3 three"}));
}
