#include "plan/plan_support.hpp"

namespace pystream::plan::test {
namespace {

TEST(StageNameTest, LettersDigitsAndSingleUnderscoresAreLegal) {
  for (const char* name : {"A", "a1", "Stage_1", "0", "a_b_c", "mainpipeline", "Source"}) {
    EXPECT_EQ(stage_name_fault(name), std::nullopt) << name;
  }
}

TEST(StageNameTest, EachRuleHasItsSentence) {
  const auto fault = [](std::string_view name) { return stage_name_fault(name).value_or("none"); };
  EXPECT_EQ(fault(""), "a stage name must not be empty");
  EXPECT_EQ(fault("a-b"), "a stage name must not contain \"-\"");
  EXPECT_EQ(fault("a__b"), "a stage name must not contain \"__\", which separates the levels of profile keys");
  EXPECT_EQ(fault("_a"), "a stage name must not begin with \"_\"");
  EXPECT_EQ(fault("a_"), "a stage name must not end with \"_\"");
  EXPECT_EQ(fault("a b"), "a stage name must consist of letters, digits and single \"_\"");
  EXPECT_EQ(fault("\u00e4"), "a stage name must consist of letters, digits and single \"_\"");
  EXPECT_EQ(fault("MainPipeline"), "a stage must not be named MainPipeline, that name is reserved");
  EXPECT_EQ(fault("FinalStage"), "a stage must not be named FinalStage, that name is reserved");
}

TEST(EnumNamesTest, AreThoseOfPlanFiles) {
  EXPECT_EQ(to_string(Mode::serial), "serial");
  EXPECT_EQ(to_string(Mode::parallel), "parallel");
  EXPECT_EQ(to_string(Overflow::block), "block");
  EXPECT_EQ(to_string(Overflow::drop_newest), "drop_newest");
  EXPECT_EQ(to_string(Overflow::drop_oldest), "drop_oldest");
  EXPECT_EQ(to_string(OnCrash::replay), "replay");
  EXPECT_EQ(to_string(OnCrash::skip), "skip");
  EXPECT_EQ(to_string(OnCrash::fail), "fail");
  EXPECT_EQ(to_string(OnError::dead_letter), "dead_letter");
  EXPECT_EQ(to_string(OnError::skip), "skip");
  EXPECT_EQ(to_string(OnError::retry), "retry");
  EXPECT_EQ(to_string(OnError::fail), "fail");
}

}  // namespace
}  // namespace pystream::plan::test
