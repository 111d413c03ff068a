#include "api/api_support.hpp"

/// What add(), serialize(), parallelize() and as_stage() accept and refuse.
namespace pystream::test {
namespace {

double half(double x) {
  return x / 2;
}
int same(int x) {
  return x;
}

std::string refusal(const std::string& name) {
  Pipeline sut;
  return message_of<InvalidStageName>([&] { sut.add(same, name); });
}

TEST(StageNameTest, TellsWhichRuleIsBroken) {
  EXPECT_TRUE(contains(refusal("a-b"), "\"-\""));
  EXPECT_TRUE(contains(refusal("a__b"), "\"__\""));
  EXPECT_TRUE(contains(refusal("_a"), "begin"));
  EXPECT_TRUE(contains(refusal("a_"), "end"));
  EXPECT_TRUE(contains(refusal("a b"), "letters"));
  EXPECT_TRUE(contains(refusal("MainPipeline"), "reserved"));
  EXPECT_TRUE(contains(refusal("FinalStage"), "reserved"));
}

TEST(StageNameTest, MustBeUniqueInItsPipeline) {
  Pipeline sut;
  sut.add(same, "A");
  EXPECT_TRUE(contains(message_of<InvalidStageName>([&] { sut.add(same, "A"); }), "unique"));
}

TEST(StageNameTest, UnnamedStagesAreCounted) {
  Pipeline sut;
  sut.add(same).add(same, "Named").add(same).serialize();
  std::vector<std::string> keys;
  for (const StageStatus& stage : sut.status().stages) {
    keys.push_back(stage.key);
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"MainPipeline__Stage_1", "MainPipeline__Named", "MainPipeline__Stage_2"}));
}

TEST(BuildingTest, RefusesNeighboursThatDifferInType) {
  Pipeline sut;
  sut.add(same, "A").add(half, "B");
  for (const auto& start :
       {std::function<void()>([&] { sut.serialize(); }), std::function<void()>([&] { sut.parallelize(); })}) {
    const std::string message = message_of<PipelineInitiationError>(start);
    EXPECT_TRUE(contains(message, "MainPipeline__A gives items of type int32"));
    EXPECT_TRUE(contains(message, "MainPipeline__B takes float64"));
  }
  EXPECT_THROW(std::ignore = sut.forward(1), PipelineUndefined);
}

TEST(BuildingTest, ChecksTypesThroughNesting) {
  Pipeline child;
  child.add(half, "Half").parallelize();
  Pipeline sut;
  sut.add(same, "A").add(child.as_stage(), "Child");
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { sut.serialize(); }), "MainPipeline__Child__Half"));
}

TEST(BuildingTest, RawStagesFitEveryType) {
  Pipeline sut;
  sut.add(same).add([](const Item& in, Output& out) { out.forward(in); }).add(same).serialize();
  EXPECT_TRUE(sut.forward(3));
  EXPECT_EQ(sut.get_results<int>(), 3);
}

TEST(BuildingTest, RefusesAPipelineWithoutStages) {
  Pipeline sut;
  EXPECT_TRUE(contains(message_of<PipelineInitiationError>([&] { sut.serialize(); }), "no stages"));
  EXPECT_THROW(sut.parallelize(), PipelineInitiationError);
}

TEST(BuildingTest, IsUndefinedBeforeItIsStarted) {
  Pipeline sut;
  sut.add(same);
  EXPECT_TRUE(contains(message_of<PipelineUndefined>([&] { static_cast<void>(sut.forward(1)); }),
                       "serialize() or parallelize()"));
  EXPECT_THROW(std::ignore = sut.get_results<int>(), PipelineUndefined);
  sut.cleanup();  // does nothing
}

TEST(BuildingTest, RefusesItemsOfAnotherType) {
  Pipeline sut;
  sut.add(same, "A").serialize();
  const std::string forward = message_of<PayloadError>([&] { static_cast<void>(sut.forward(1.5)); });
  EXPECT_TRUE(contains(forward, "float64"));
  EXPECT_TRUE(contains(forward, "MainPipeline__A takes int32"));
  EXPECT_TRUE(sut.forward(1));
  EXPECT_TRUE(contains(message_of<PayloadError>([&] { static_cast<void>(sut.get_results<double>()); }),
                       "MainPipeline__A gives int32"));
  EXPECT_EQ(sut.get_results<int>(), 1);  // still there
}

TEST(BuildingTest, AsStageNeedsAModeAndEmptiesThePipeline) {
  Pipeline child;
  child.add(same);
  EXPECT_THROW(std::ignore = child.as_stage(), PipelineUndefined);
  child.parallelize();
  Pipeline sut;
  sut.add(child.as_stage(), "Child").serialize();
  EXPECT_THROW(std::ignore = child.forward(1), PipelineUndefined);
  EXPECT_THROW(child.parallelize(), PipelineInitiationError);  // it is empty now
  EXPECT_TRUE(sut.forward(5));
  EXPECT_EQ(sut.get_results<int>(), 5);
}

TEST(BuildingTest, AMovedPipelineGoesOnElsewhere) {
  Pipeline first;
  first.add(same).parallelize(kAllResults);
  Pipeline second = std::move(first);
  EXPECT_TRUE(second.forward(4));
  EXPECT_EQ(second.get_results<int>(), 4);
  EXPECT_THROW(std::ignore = first.forward(1), PipelineUndefined);  // NOLINT: that it is defined is the point
  first = std::move(second);
  EXPECT_TRUE(first.forward(5));
  EXPECT_EQ(first.get_results<int>(), 5);
}

TEST(BuildingTest, KnowsTheProfilerFolder) {
  const auto before = get_profiler_db_folder();
  set_profiler_db_folder("/somewhere/else");
  EXPECT_EQ(get_profiler_db_folder(), "/somewhere/else");
  set_profiler_db_folder(before);
  EXPECT_EQ(main_pipeline_name, "MainPipeline");
  EXPECT_EQ(separator, "__");
}

}  // namespace
}  // namespace pystream::test
