#include "plan/plan_support.hpp"

namespace pystream::plan::test {
namespace {

constexpr const char* kPlan = R"({
  "source": {"type": "files", "name": "Camera", "params": {"path": "photos"}},
  "stages": [
    {"name": "Decode", "type": "image.decode"},
    {"name": "Enhance", "mode": "serial", "stages": [{"name": "Resize", "type": "image.resize",
      "params": {"width": 1}}, {"type": "image.convolve"}]},
    {"name": "Encode", "type": "image.encode"},
    {"name": "Pass", "type": "pass"}],
  "sink": {"type": "file_writer"}
})";

ParamOverride make_override(std::string_view text) {
  return std::get<ParamOverride>(parse_override(text));
}

Plan with(std::string_view text) {
  const ParamOverride override = make_override(text);
  return plan_in(kPlan, std::span(&override, 1));
}

std::string fault_of(std::string_view text) {
  const ParamOverride override = make_override(text);
  const Texts faults = faults_in(kPlan, std::span(&override, 1));
  return faults.size() == 1 ? faults[0] : std::to_string(faults.size()) + " faults";
}

TEST(ParseOverrideTest, SplitsAtTheLastDotBeforeTheFirstEqualsSign) {
  const ParamOverride sut = make_override("Enhance.Resize.path=a.b=c");
  EXPECT_EQ(sut.stage, "Enhance.Resize");
  EXPECT_EQ(sut.param, "path");
  EXPECT_EQ(sut.value, "a.b=c");
  EXPECT_EQ(make_override("A.b=").value, "");
}

TEST(ParseOverrideTest, FaultsOfForm) {
  for (const char* text : {"", "A", "A.b", "A=b", ".b=1", "A.=1", "=1", "a=b.c"}) {
    EXPECT_TRUE(std::holds_alternative<PlanFault>(parse_override(text))) << text;
  }
}

TEST(OverrideTest, LevelsAreJoinedByDotsOrUnderscores) {
  for (const char* text : {"Enhance.Resize.width=640", "Enhance__Resize.width=640",
                           "MainPipeline__Enhance__Resize.width=640", "MainPipeline.Enhance.Resize.width=640"}) {
    EXPECT_EQ(with(text).root.children[1].children[0].stage->params.integer("width"), 640) << text;
  }
}

TEST(OverrideTest, AnUnambiguousLastPartIsEnough) {
  EXPECT_EQ(with("Resize.width=640").root.children[1].children[0].stage->params.integer("width"), 640);
  EXPECT_EQ(with("Enhance/Resize.width=640").root.children[1].children[0].stage->params.integer("width"), 640);
  EXPECT_EQ(with("Stage_1.kernel=blur").root.children[1].children[1].stage->params.string("kernel"), "blur");
}

TEST(OverrideTest, AnAmbiguousLastPartIsRefused) {
  const std::string twice = R"([
    {"name": "A", "mode": "serial", "stages": [{"name": "Pass", "type": "pass"}]},
    {"name": "B", "mode": "parallel", "stages": [{"name": "Pass", "type": "pass"}]}])";
  const ParamOverride override = make_override("Pass.flag=true");
  EXPECT_EQ(faults_in(plan_text(twice), std::span(&override, 1)),
            Texts{"--set Pass.flag: found the stage \"Pass\", which may be A.Pass and B.Pass, expected one of these "
                  "names"});
}

TEST(OverrideTest, ReplicasOfAStageOrPipeline) {
  EXPECT_EQ(with("Encode.replicas=3").root.children[2].replicas, 3U);
  EXPECT_EQ(with("Enhance.replicas=2").root.children[1].replicas, 2U);
  EXPECT_EQ(fault_of("Encode.replicas=many"), "/stages/2/replicas: found \"many\", expected an integer from 1 to 64");
  EXPECT_EQ(fault_of("Sink.replicas=2").substr(0, 44), "/sink/replicas: found the key \"replicas\", ex");
}

TEST(OverrideTest, APipelineHasNoParameters) {
  EXPECT_EQ(
      fault_of("Enhance.width=2"),
      "--set Enhance.width: found the parameter \"width\" of a pipeline, expected \"replicas\", or a stage in the "
      "pipeline");
}

TEST(OverrideTest, EndsByRoleOrName) {
  EXPECT_EQ(with("Source.path=other").source.stage->params.string("path"), "other");
  EXPECT_EQ(with("Camera.path=other").source.stage->params.string("path"), "other");
  EXPECT_EQ(with("Sink.directory=out").sink.stage->params.string("directory"), "out");
}

TEST(OverrideTest, UnnamedStagesByTheirGivenNames) {
  EXPECT_EQ(with("Enhance.Stage_1.kernel=blur").root.children[1].children[1].stage->params.string("kernel"), "blur");
}

TEST(OverrideTest, ValuesAreJsonWhereTheParameterTakesIt) {
  const auto params = [](std::string_view text) { return with(text).root.children[3].stage->params; };
  EXPECT_EQ(params("Pass.label=5").string("label"), "5");
  EXPECT_EQ(params("Pass.label=\"5\"").string("label"), "5");
  EXPECT_EQ(params("Pass.label=null").string("label"), "null");
  EXPECT_EQ(params("Pass.flag=true").boolean("flag"), true);
  EXPECT_EQ(params("Pass.size=2KiB").bytes("size"), 2048U);
  EXPECT_EQ(params("Pass.size=2048").bytes("size"), 2048U);
  EXPECT_EQ(params("Pass.list=[1]").list("list").size(), 1U);
  EXPECT_EQ(*params("Pass.extra=1").find("extra"), ParamValue(1));
  EXPECT_EQ(*params("Pass.extra=one").find("extra"), ParamValue("one"));
}

TEST(OverrideTest, TheLastOneCounts) {
  const std::vector<ParamOverride> both{make_override("Pass.size=1"), make_override("Pass.size=2")};
  EXPECT_EQ(plan_in(kPlan, both).root.children[3].stage->params.bytes("size"), 2U);
}

TEST(OverrideTest, UnknownStagesAndParamsHaveSuggestions) {
  EXPECT_EQ(fault_of("Resise.width=3"),
            "--set Resise.width: found the stage \"Resise\", expected a stage of this plan (did you mean "
            "\"Resize\"?)");
  EXPECT_EQ(fault_of("Enhance.Resize.widht=3"),
            "--set Enhance.Resize.widht: found the parameter \"widht\", expected a parameter of \"image.resize\" (did "
            "you mean \"width\"?)");
}

TEST(OverrideTest, ValuesAreCheckedLikeThoseInTheFile) {
  EXPECT_EQ(fault_of("Enhance.Resize.width=0"),
            "--set Enhance.Resize.width: found 0, expected an integer from 1 to 10000");
  EXPECT_EQ(fault_of("Enhance.Resize.width=wide"),
            "--set Enhance.Resize.width: found \"wide\", expected an integer from 1 to 10000");
  EXPECT_EQ(fault_of("Pass.label=\xff"), "--set Pass.label: found a value that is not UTF-8, expected UTF-8 text");
}

TEST(OverrideTest, BrokenPlansOnlyGiveTheirOwnFaults) {
  const ParamOverride override = make_override("A.flag=true");
  const std::span one(&override, 1);
  EXPECT_EQ(faults_in(plan_text(R"([{"name": "A", "type": "pass", "params": 3}])"), one),
            Texts{"/stages/0/params: found 3, expected an object"});
  EXPECT_EQ(faults_in(plan_text(R"([{"name": "A", "type": "pas"}])"), one).size(), 1U);
  EXPECT_EQ(faults_in(plan_text("3"), one).size(), 2U);
}

}  // namespace
}  // namespace pystream::plan::test
