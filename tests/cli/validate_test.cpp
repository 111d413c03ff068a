#include <algorithm>

#include "cli/coord_program.hpp"
#include "plan/json.hpp"

namespace pystream::test {
namespace {

/// `text` with the first `from` in it replaced.
std::string with(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class Validate : public testing::Test {
 protected:
  ProgramRun validate(const std::string& plan, std::vector<std::string> options = {}) {
    folder_.write("plan.json", plan);
    options.insert(options.begin(), {"validate", "plan.json"});
    return coord(options, {.directory = folder_.path()});
  }
  /// That `plan` is refused with exactly this line.
  void expect_fault(const std::string& plan, const std::string& line, std::vector<std::string> options = {}) {
    const ProgramRun run = validate(plan, std::move(options));
    EXPECT_EQ(run.exit_code, 2) << line;
    EXPECT_EQ(run.out, "");
    EXPECT_EQ(run.err, line + "\n");
  }
  /// A value in what --json prints.
  static const ParamValue& at(const ParamValue& value, std::string_view key) {
    static const ParamValue kNothing;
    const ParamValue* found = plan::find_key(value, key);
    EXPECT_NE(found, nullptr) << key;
    return found == nullptr ? kNothing : *found;
  }

  TempFolder folder_;
};

TEST_F(Validate, ShowsProcessesLinksAndMemory) {
  const ProgramRun run = validate(kSmallPlan);
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.err, "");
  EXPECT_CONTAINS(run.out,
                  "plan.json: valid\n\n4 worker processes\n  Source  lines\n  Add     test.add\n"
                  "  Row     Row.First (test.mix), Row.Second (test.count)\n  Sink    file_writer\n\n3 links\n"
                  "  Source -> Add  1 MiB ring, 100ms of work, items up to 64 MiB\n");
  EXPECT_CONTAINS(run.out, "Shared memory\n  reserved at the start  7.");
  EXPECT_CONTAINS(run.out, "\n  available now ");
}

TEST_F(Validate, Json) {
  const ProgramRun run = validate(kSmallPlan, {"--json"});
  EXPECT_EQ(run.exit_code, 0);
  const plan::ParsedJson json = plan::parse_json(run.out);
  ASSERT_TRUE(json.complete && json.faults.empty()) << run.out;
  EXPECT_EQ(at(json.value, "valid"), ParamValue(true));
  const auto& workers = std::get<ParamList>(at(json.value, "workers"));
  ASSERT_EQ(workers.size(), 4U);
  EXPECT_EQ(at(workers[2], "name"), ParamValue("MainPipeline__Row"));
  EXPECT_EQ(std::get<ParamList>(at(workers[2], "stages")).size(), 2U);
  const auto& links = std::get<ParamList>(at(json.value, "links"));
  ASSERT_EQ(links.size(), 3U);
  EXPECT_EQ(at(links[0], "ring_bytes"), ParamValue(1 << 20));
  const ParamValue& memory = at(json.value, "memory");
  EXPECT_GT(std::get<std::int64_t>(at(memory, "reserved")), 3 << 20);
  EXPECT_GE(std::get<std::int64_t>(at(memory, "limit")), std::get<std::int64_t>(at(memory, "reserved")));
}

TEST_F(Validate, LinksMayBeSmaller) {
  const ProgramRun run =
      validate(with(kSmallPlan, "\"sink\"", "\"links\": {\"capacity\": {\"bytes\": \"64KiB\"}},\n  \"sink\""));
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.err, "");
  EXPECT_CONTAINS(run.out, "64 KiB ring, 100ms of work, items up to 64 KiB");
}

TEST_F(Validate, CountsCheckpointsInTheMemory) {
  const std::string plan = with(with(kSmallPlan, "test.mix", "test.hoard"), "libpystream_testing.so\"",
                                "libpystream_testing.so\", \"" + odd_plugin("stateful") + "\"");
  const plan::ParsedJson json = plan::parse_json(validate(plan, {"--json"}).out);
  // Two copies of 1 GiB.
  EXPECT_GT(std::get<std::int64_t>(at(at(json.value, "memory"), "limit")), std::int64_t{2} << 30);
}

TEST_F(Validate, ReadsStandardInput) {
  const ProgramRun run = coord({"validate", "-"}, {.input = kSmallPlan});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_CONTAINS(run.out, "standard input: valid\n");
  const ProgramRun bad = coord({"validate", "-"}, {.input = "[]"});
  EXPECT_EQ(bad.exit_code, 2);
  EXPECT_EQ(bad.err, "standard input: found an empty list, expected an object\n");
}

TEST_F(Validate, EachKindOfFault) {
  const std::string plan = kSmallPlan;
  expect_fault("{\n  \"mode\": \"parallel\",\n  \"source\" 7\n}",
               "plan.json: line 3, column 12: found unexpected number literal, expected ':'");
  expect_fault(with(plan, "test.add", "test.ad"),
               "plan.json: /stages/0/type: found \"test.ad\", expected a registered stage type (did you mean "
               "\"test.add\"?)");
  expect_fault(with(plan, "\"n\": 3", "\"n\": \"three\""),
               "plan.json: /stages/0/params/n: found \"three\", expected an integer");
  expect_fault(with(plan, "\"n\": 3", "\"m\": 3"),
               "plan.json: /stages/0/params/m: found the parameter \"m\", expected one of \"n\" (did you mean \"n\"?)");
  expect_fault(
      with(plan, ", \"params\": {\"path\": \"in.txt\"}", ""),
      "plan.json: /source/params: found no parameter \"path\", expected \"path\": a string (file to read; - is "
      "standard input)");
}

TEST_F(Validate, EveryFaultAtOnce) {
  std::string plan = with(kSmallPlan, "\"n\": 3", "\"n\": true");
  plan = with(plan, "\"name\": \"Second\"", "\"name\": \"First\"");
  plan = with(plan, "\"type\": \"lines\"", "\"type\": \"linse\"");
  const ProgramRun run = validate(plan);
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(std::ranges::count(run.err, '\n'), 3) << run.err;
  EXPECT_CONTAINS(run.err, "plan.json: /source/type: ");
  EXPECT_CONTAINS(run.err, "plan.json: /stages/0/params/n: ");
  EXPECT_CONTAINS(run.err, "plan.json: /stages/1/stages/1/name: ");
}

TEST_F(Validate, FilesThatCannotBeRead) {
  const ProgramRun missing = coord({"validate", "/no/such/plan.json"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_EQ(missing.err, "/no/such/plan.json: cannot be read: No such file or directory\n");
  const ProgramRun folder = coord({"validate", "/"});
  EXPECT_EQ(folder.exit_code, 2);
  EXPECT_EQ(folder.err, "/: cannot be read: Is a directory\n");
  const ProgramRun endless = coord({"validate", "/dev/zero"});
  EXPECT_EQ(endless.exit_code, 2);
  EXPECT_EQ(endless.err, "/dev/zero: found more than 64 MiB, expected a plan\n");
}

TEST_F(Validate, AMissingPluginIsNamedWithItsPlace) {
  const ProgramRun run =
      validate(with(kSmallPlan, "\"libpystream_testing.so\"", "\"libpystream_testing.so\", \"libmissing.so\""));
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err, "plan.json: /plugins/1: plugin \"libmissing.so\" was not found; looked in\n");
}

TEST_F(Validate, ACrashingPluginIsNamedWithItsSignal) {
  const ProgramRun run = validate(with(kSmallPlan, "libpystream_testing.so", odd_plugin("aborting")));
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err, "plan.json: /plugins/0: plugin \"");
  EXPECT_CONTAINS(run.err, "libpystream_aborting.so\": the worker program was killed by signal 6 (Aborted)");
}

TEST_F(Validate, APluginBuiltWithOtherHeadersIsRefused) {
  const ProgramRun run = validate(with(kSmallPlan, "libpystream_testing.so", odd_plugin("outdated")));
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err, "plan.json: /plugins/0: plugin \"");
  EXPECT_CONTAINS(run.err, "libpystream_outdated.so\": it was built with other pystream headers than the library");
}

TEST_F(Validate, AFileThatIsNoPluginIsTold) {
  folder_.write("no.so", "not a library");
  const ProgramRun run = validate(with(kSmallPlan, "libpystream_testing.so", "./no.so"));
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err, "plan.json: /plugins/0: plugin \"" + folder_ / "no.so" + "\" cannot be loaded: ");
}

TEST_F(Validate, PluginPathsAreRelativeToThePlan) {
  std::filesystem::create_directory(folder_.path() / "plugins");
  const std::filesystem::path built =
      std::filesystem::path(PYSTREAM_TEST_COORD).parent_path() / "../../workers/testing/libpystream_testing.so";
  std::filesystem::copy_file(built, folder_.path() / "plugins/libcopy.so");
  const std::string file = folder_.write("plan.json", with(kSmallPlan, "libpystream_testing.so", "plugins/libcopy.so"));
  const ProgramRun run = coord({"validate", file}, {.directory = "/"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

TEST_F(Validate, AnUnknownTypeOfAnotherPluginHintsAtThePlugin) {
  const ProgramRun run = validate(with(kSmallPlan, "\"libpystream_testing.so\"", ""));
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err,
                  "/stages/0/type: found \"test.add\", expected a registered stage type (add "
                  "\"libpystream_testing.so\" to \"plugins\")\n");
}

TEST_F(Validate, SetChangesAParameter) {
  EXPECT_EQ(validate(kSmallPlan, {"--set", "Add.n=4", "--set", "Row.First.key=9", "--set=Source.path=x"}).exit_code, 0);
}

TEST_F(Validate, SetFaults) {
  expect_fault(kSmallPlan, "--set: found \"Add\", expected Stage.param=value, such as Resize.width=640",
               {"--set", "Add"});
  expect_fault(kSmallPlan, "--set Ad.n: found the stage \"Ad\", expected a stage of this plan (did you mean \"Add\"?)",
               {"--set", "Ad.n=1"});
  expect_fault(kSmallPlan,
               "--set Add.m: found the parameter \"m\", expected a parameter of \"test.add\" (did you mean \"n\"?)",
               {"--set", "Add.m=1"});
  expect_fault(kSmallPlan, "--set Add.n: found \"x\", expected an integer", {"--set", "Add.n=x"});
  const ProgramRun two = validate(kSmallPlan, {"--set", "Add.n=x", "--set", "Row.First.key=y"});
  EXPECT_EQ(two.exit_code, 2);
  EXPECT_EQ(std::ranges::count(two.err, '\n'), 2) << two.err;
}

TEST_F(Validate, InputAndOutputSetTheEnds) {
  const std::string open = with(with(kSmallPlan, ", \"params\": {\"path\": \"in.txt\"}", ""), "\"path\": \"out.txt\"",
                                "\"directory\": \"there\"");
  EXPECT_EQ(validate(open, {"--input", "7", "--output", "out.txt"}).exit_code, 0);
  EXPECT_EQ(validate(open, {"--input", "-", "--output", "folder/"}).exit_code, 0);
  expect_fault(with(with(kSmallPlan, "file_writer", "discard"), ", \"params\": {\"path\": \"out.txt\"}", ""),
               "--output x: found the parameter \"path\", expected a parameter of \"discard\"", {"--output", "x"});
}

TEST(Pipelines, EachBundledPlanIsValid) {
  std::size_t plans = 0;
  for (const auto& entry : std::filesystem::directory_iterator(PYSTREAM_TEST_PIPELINES)) {
    if (entry.path().extension() != ".json") {
      continue;
    }
    const ProgramRun run = coord({"validate", entry.path()});
    if (contains(run.err, "libpystream_opencv.so\" was not found")) {
      continue;  // built without OpenCV
    }
    EXPECT_EQ(run.exit_code, 0) << run.err;
    ++plans;
  }
  EXPECT_GE(plans, 2U);
}

}  // namespace
}  // namespace pystream::test
