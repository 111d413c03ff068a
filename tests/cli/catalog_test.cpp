#include <algorithm>

#include "cli/coord_program.hpp"
#include "plan/json.hpp"
#include "plan/plan_json.hpp"

namespace pystream::test {
namespace {

TEST(Stages, ListsEveryTypeByPlugin) {
  const ProgramRun run = coord({"stages"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out.find("bundled\n"), 0U);
  EXPECT_CONTAINS(run.out, "source  reads text line by line\n");
  EXPECT_CONTAINS(run.out, "\nlibpystream_testing.so\n  test.add ");
}

TEST(Stages, ExplainsOneType) {
  const ProgramRun run = coord({"stages", "generate"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  for (const std::string part :
       {"generate\n  makes up items", "kind    source\n", "output  bytes\n",
        "  count  integer, default 0, at least 0\n      how many; 0: no end\n", "  size  size, default 64 bytes, from ",
        "  pattern  string, default \"counter\", one of counter, random, zeros\n"}) {
    EXPECT_CONTAINS(run.out, part);
  }
  EXPECT_FALSE(contains(run.out, "input "));
}

TEST(Stages, TellsRequiredParametersAndCheckpoints) {
  EXPECT_CONTAINS(coord({"stages", "lines"}).out, "  path  string, required\n");
  EXPECT_CONTAINS(coord({"stages", "test.count"}).out, "checkpoint  up to 8 bytes\n");
  EXPECT_CONTAINS(coord({"stages", "discard"}).out, "No parameters\n");
  EXPECT_CONTAINS(coord({"stages", "test.sleep_start"}).out, "  time  duration, default 1s, at least 0s\n");
}

TEST(Stages, AnUnknownTypeIsBadUsage) {
  const ProgramRun run = coord({"stages", "file_writr"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err, "there is no stage type \"file_writr\" (did you mean \"file_writer\"?)");
}

TEST(Stages, JsonIsACatalog) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"stages", "--json"}, {"stages", "exec", "--json"}}) {
    const ProgramRun run = coord(arguments);
    const auto catalog = plan::read_catalog(run.out);
    ASSERT_TRUE(std::holds_alternative<std::vector<StageType>>(catalog)) << run.out;
    const auto& types = std::get<std::vector<StageType>>(catalog);
    EXPECT_NE(std::ranges::find(types, std::string("exec"), &StageType::name), types.end());
    EXPECT_EQ(types.size() == 1, arguments.size() == 3);
  }
}

TEST(Stages, OnlyTheNamedPlugins) {
  const ProgramRun run = coord({"stages", "--plugin", odd_plugin("doubling")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_CONTAINS(run.out, "libpystream_doubling.so\n  test.add ");
  EXPECT_FALSE(contains(run.out, "test.mix"));
  const ProgramRun missing = coord({"stages", "--plugin", "libmissing.so"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_CONTAINS(missing.err, "plugin \"libmissing.so\" was not found");
}

TEST(Stages, APluginInAFolderThatDoesNotWorkIsLeftOutWithAWarning) {
  const TempFolder folder;
  std::filesystem::copy_file(odd_plugin("aborting"), folder.path() / "libaborting.so");
  const ProgramRun run =
      run_program({PYSTREAM_TEST_COORD, "stages"}, {.environment = {"PYSTREAM_PLUGIN_PATH=" + folder.path().string()}});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_CONTAINS(run.out, "test.mix");
  EXPECT_CONTAINS(run.err, "libaborting.so\": the worker program was killed by signal 6 (Aborted)");
}

TEST(Schema, IsJsonWithTheParametersOfEveryType) {
  const ProgramRun run = coord({"schema"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const plan::ParsedJson json = plan::parse_json(run.out);
  ASSERT_TRUE(json.complete && json.faults.empty());
  ASSERT_NE(plan::find_key(json.value, "$schema"), nullptr);
  EXPECT_CONTAINS(run.out, "\"test.mix\"");
  EXPECT_CONTAINS(run.out, "\"file_writer\"");
}

TEST(Schema, OnlyTheNamedPlugins) {
  const ProgramRun run = coord({"schema", "--plugin", odd_plugin("doubling")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_CONTAINS(run.out, "\"test.add\"");
  EXPECT_FALSE(contains(run.out, "\"test.mix\""));
}

}  // namespace
}  // namespace pystream::test
