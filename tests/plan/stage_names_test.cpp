#include "plan/stage_names.hpp"

#include <gtest/gtest.h>

#include <pystream/error.hpp>

namespace pystream::plan {
namespace {

const std::vector<std::string> kKeys{"MainPipeline",
                                     "MainPipeline__Source",
                                     "MainPipeline__Decode",
                                     "MainPipeline__Enhance",
                                     "MainPipeline__Enhance__Resize",
                                     "MainPipeline__Enhance__Inner__Blur",
                                     "MainPipeline__Small__Resize",
                                     "MainPipeline__Small__Decode",
                                     "MainPipeline__Sink"};

std::string refusal(std::string_view name) {
  try {
    return "named " + key_named(name, kKeys, "run 3");
  } catch (const Error& error) {
    return error.what();
  }
}

TEST(StageNamesTest, KeysAreShownAsPeopleWriteThem) {
  EXPECT_EQ(short_key("MainPipeline__Enhance__Resize"), "Enhance.Resize");
  EXPECT_EQ(short_key("MainPipeline"), "MainPipeline");
  EXPECT_EQ(short_key("stage MainPipeline__A_b__C failed on item 3"), "stage A_b.C failed on item 3");
  EXPECT_EQ(short_key("MainPipeline__A -> MainPipeline__B__C"), "A -> B.C");
  EXPECT_EQ(short_key("(MainPipeline__A), [MainPipeline__B]"), "(A), [B]");
}

TEST(StageNamesTest, FilesAndOtherWordsStayAsTheyAre) {
  for (const char* text : {"", "dead_letters/run-1-MainPipeline__Bad-7.bin", "/tmp/MainPipeline__A",
                           "NotMainPipeline__A", "my__name", "MainPipeline_A"}) {
    EXPECT_EQ(short_key(text), text);
  }
}

TEST(StageNamesTest, AllSpellingsOfOneName) {
  for (const char* name : {"MainPipeline__Enhance__Resize", "Enhance__Resize", "Enhance.Resize", "Enhance/Resize",
                           "MainPipeline.Enhance.Resize", "MainPipeline/Enhance/Resize"}) {
    EXPECT_EQ(refusal(name), "named MainPipeline__Enhance__Resize") << name;
  }
}

TEST(StageNamesTest, AnUnambiguousLastPartIsEnough) {
  EXPECT_EQ(refusal("Blur"), "named MainPipeline__Enhance__Inner__Blur");
  EXPECT_EQ(refusal("Inner.Blur"), "named MainPipeline__Enhance__Inner__Blur");
  EXPECT_EQ(refusal("Source"), "named MainPipeline__Source");
}

TEST(StageNamesTest, AnAmbiguousOneIsRefusedWithAllThatItMayBe) {
  EXPECT_EQ(refusal("Resize"),
            "found the stage \"Resize\", which may be Enhance.Resize and Small.Resize; expected one of these names");
}

TEST(StageNamesTest, TheNameInFullIsNeverAmbiguous) {
  EXPECT_EQ(refusal("Decode"), "named MainPipeline__Decode") << "Small.Decode has a name of its own";
}

TEST(StageNamesTest, ReplicasAreMeantTogetherOrOneByItsNumber) {
  const std::vector<std::string> keys{"MainPipeline__P#1__A", "MainPipeline__P#2__A", "MainPipeline__B#1",
                                      "MainPipeline__B#2"};
  EXPECT_EQ(key_named("A", keys, "run 3"), "MainPipeline__P__A");
  EXPECT_EQ(key_named("P.A", keys, "run 3"), "MainPipeline__P__A");
  EXPECT_EQ(key_named("B", keys, "run 3"), "MainPipeline__B");
  EXPECT_EQ(key_named("B#2", keys, "run 3"), "MainPipeline__B#2");
  EXPECT_EQ(key_named("P#1.A", keys, "run 3"), "MainPipeline__P#1__A");
  EXPECT_THROW(key_named("B#3", keys, "run 3"), Error);
  EXPECT_EQ(short_key("MainPipeline__P#1__A"), "P#1.A");
  EXPECT_EQ(without_replicas("MainPipeline__P#1__A#12"), "MainPipeline__P__A");
  EXPECT_EQ(replicas_name("MainPipeline__B", 2), "B \u00d72");
}

TEST(StageNamesTest, PartsOfWordsAreNoNames) {
  for (const char* name : {"size", "lur", "", ".", "Enhance.", "nhance.Resize", "Enhance.Blur"}) {
    EXPECT_EQ(refusal(name).substr(0, 15), "found the stage") << name;
  }
}

TEST(StageNamesTest, SlipsHaveSuggestions) {
  EXPECT_EQ(refusal("Blurr"), "found the stage \"Blurr\", expected a stage of run 3 (did you mean \"Blur\"?)");
  EXPECT_EQ(refusal("Enhance.Resise"),
            "found the stage \"Enhance.Resise\", expected a stage of run 3 (did you mean \"Enhance.Resize\"?)");
}

TEST(StageNamesTest, WhatStandsWithinAPipeline) {
  EXPECT_TRUE(is_within("MainPipeline__A__B", "MainPipeline__A"));
  EXPECT_TRUE(is_within("MainPipeline__A", "MainPipeline__A"));
  EXPECT_FALSE(is_within("MainPipeline__AB", "MainPipeline__A"));
}

}  // namespace
}  // namespace pystream::plan
