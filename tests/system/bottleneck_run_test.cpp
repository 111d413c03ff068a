#include "system/profile_support.hpp"

/// Plans whose bottleneck is known. Stages sleep, each many times as long as the others, so a busy machine changes
/// little.
namespace pystream::test {
namespace {

std::string waits(const std::string& name, const std::string& time) {
  return R"({"name": ")" + name + R"(", "type": "wait", "params": {"time": ")" + time + R"("}})";
}

struct KnownPlan {
  const char* name;
  long items;
  std::vector<std::string> stages;
  const char* sink;
  const char* links;
  const char* bottleneck;  ///< nullptr: too little is known
};

void PrintTo(const KnownPlan& plan, std::ostream* out) {
  *out << plan.name;
}

const std::string kGroup = R"({"name": "Enhance", "mode": "serial", "stages": [)" + waits("Resize", "1ms") + ", " +
                           waits("Sharpen", "1ms") + "]}";
const std::string kSlowGroup = R"({"name": "Enhance", "mode": "serial", "stages": [)" + waits("Resize", "4ms") + ", " +
                               waits("Sharpen", "20ms") + "]}";
constexpr const char* kFast = R"({"type": "discard"})";
constexpr const char* kSlow = R"({"name": "Sink", "type": "test.slow_sink", "params": {"time": "20ms"}})";
constexpr const char* kTwoInside = R"({"capacity": {"items": 2}})";
constexpr const char* kManyInside = R"({})";

const KnownPlan kPlans[] = {
    {"LastStage", 60, {waits("Decode", "8ms"), kGroup, waits("Encode", "20ms")}, kFast, kTwoInside, "Encode"},
    {"LastStageShortRun", 12, {waits("Decode", "8ms"), kGroup, waits("Encode", "20ms")}, kFast, kTwoInside, "Encode"},
    {"LastStageNobodyBlocked",
     60,
     {waits("Decode", "8ms"), kGroup, waits("Encode", "20ms")},
     kFast,
     kManyInside,
     "Encode"},
    {"FirstStage", 60, {waits("Decode", "20ms"), kGroup, waits("Encode", "8ms")}, kFast, kTwoInside, "Decode"},
    {"SlowSink", 60, {waits("Decode", "8ms"), kGroup, waits("Encode", "4ms")}, kSlow, kTwoInside, "Sink"},
    {"SlowSinkShortRun", 12, {waits("Decode", "8ms"), waits("Encode", "4ms")}, kSlow, kTwoInside, "Sink"},
    {"SerialGroup",
     60,
     {waits("Decode", "8ms"), kSlowGroup, waits("Encode", "8ms")},
     kFast,
     kTwoInside,
     "Enhance__Sharpen"},
    {"SlowStart",
     60,
     {waits("Decode", "4ms"), waits("Encode", "20ms"),
      R"({"name": "Late", "type": "test.sleep_start", "params": {"time": "1s"}})", waits("Write", "4ms")},
     kFast,
     kTwoInside,
     "Encode"},
    {"TooFewItems", 3, {waits("Decode", "8ms"), waits("Encode", "20ms")}, kFast, kTwoInside, nullptr},
};

class BottleneckRunTest : public ProfileSystemTest, public ::testing::WithParamInterface<KnownPlan> {
 protected:
  ProgramRun python(const std::string& file, const std::string& expression) const {
    return run_program(
        {"python3", "-c", "import json,sys\nd=json.load(open(sys.argv[1]))\nprint(" + expression + ")", file});
  }
};

TEST_P(BottleneckRunTest, IsNamedByTheRunAndByItsProfile) {
  const KnownPlan& given = GetParam();
  std::string stages;
  for (const std::string& stage : given.stages) {
    stages += (stages.empty() ? "" : ", ") + stage;
  }
  const std::string file = folder_.write(
      "plan.json", R"({"plugins": ["libpystream_testing.so"], "source": {"type": "generate", "params": {"count": )" +
                       std::to_string(given.items) + R"(}}, "stages": [)" + stages + R"(], "sink": )" + given.sink +
                       R"(, "links": )" + given.links + "}");
  const ProgramRun run = coord({"run", file});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  folder_.write("profile.json", coord({"profile", "--format", "json"}).out);
  const std::string named = python(folder_ / "profile.json",
                                   "[k['key'] for k in d['keys'] if k['bottleneck']], "
                                   "[k['key'] for k in d['keys'] if k['bottleneck'] and k['blocked'] >= 0.5]")
                                .out;
  if (given.bottleneck == nullptr) {
    EXPECT_EQ(run.err.find("bottleneck"), std::string::npos) << run.err;
    EXPECT_EQ(named, "[] []\n");
    return;
  }
  std::string shown = given.bottleneck;  // people see the plan's names, JSON the keys
  if (const std::size_t at = shown.find("__"); at != std::string::npos) {
    shown.replace(at, 2, ".");
  }
  EXPECT_NE(run.err.find("bottleneck: " + shown + " works"), std::string::npos) << run.err;
  EXPECT_EQ(named, "['MainPipeline__" + std::string(given.bottleneck) + "'] []\n") << coord({"profile"}).out;
}

INSTANTIATE_TEST_SUITE_P(Plans, BottleneckRunTest, ::testing::ValuesIn(kPlans),
                         [](const auto& info) { return info.param.name; });

TEST_F(ProfileSystemTest, RatesOfTooFewItemsAreNotShown) {
  const ProgramRun run = coord({"run", plan(3, "0s", {waits("A", "1ms")})});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err.find(" k "), std::string::npos) << run.err;
  const std::string page = folder_ / "report.html";
  ASSERT_EQ(coord({"report", "last", "-o", page}).exit_code, 0);
  const std::string html = folder_.read("report.html");
  EXPECT_NE(html.find("Too few items, or too short a run, to tell."), std::string::npos);
  EXPECT_EQ(html.find("id=\"whatif\""), std::string::npos);
}

}  // namespace
}  // namespace pystream::test
