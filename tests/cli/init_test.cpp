#include "cli/coord_program.hpp"

namespace pystream::test {
namespace {

TEST(Init, WritesAPlanThatIsValid) {
  const TempFolder folder;
  const ProgramRun run = coord({"init"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_CONTAINS(run.out, "wrote pipeline.json\n");
  const ProgramRun valid = coord({"validate", "pipeline.json"}, {.directory = folder.path()});
  EXPECT_EQ(valid.exit_code, 0) << valid.err;
}

TEST(Init, LeavesAFileAlone) {
  const TempFolder folder;
  folder.write("mine.json", "mine");
  const ProgramRun run = coord({"init", "mine.json"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err, "mine.json exists already and is left as it is");
  EXPECT_EQ(folder.read("mine.json"), "mine");
}

TEST(Init, SaysWhyItCannotWrite) {
  const ProgramRun run = coord({"init", "/no/such/folder/plan.json"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.err, "pystream-coord: cannot write /no/such/folder/plan.json: No such file or directory\n");
}

}  // namespace
}  // namespace pystream::test
