#include <filesystem>
#include <map>

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

/// What each example makes of two lines.
TEST(Init, EveryExampleRuns) {
  const std::map<std::string, std::string> expected{{"nested", "Hello, you!\nHello, world!\n"},
                                                    {"replicas", "you\nworld\n"},
                                                    {"branches", "YOU\t3\nWORLD\t5\n"},
                                                    {"tap", "hello, you\nhello, world\n"}};
  for (const auto& [example, output] : expected) {
    SCOPED_TRACE(example);
    const TempFolder folder;
    ASSERT_EQ(coord({"init", "--example", example}, {.directory = folder.path()}).exit_code, 0);
    const ProgramRun run = coord({"run", "pipeline.json", "-q"}, {.input = "you\nworld\n", .directory = folder.path()});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_EQ(run.out, output);
    if (example == "tap") {
      EXPECT_EQ(folder.read("lines.log"), "you\nworld\n");
    }
  }
}

TEST(Init, LeavesAFileAlone) {
  const TempFolder folder;
  folder.write("mine.json", "mine");
  const ProgramRun run = coord({"init", "mine.json"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err, "mine.json exists already and was not changed");
  EXPECT_EQ(folder.read("mine.json"), "mine");
}

TEST(Init, WritesToStandardOutput) {
  const TempFolder folder;
  const ProgramRun run = coord({"init", "-"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out.front(), '{');
  EXPECT_EQ(run.out.find("Next:"), std::string::npos) << "only the plan";
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Init, AFullDiskLeavesNothing) {
  const TempFolder folder;
  const ProgramRun run =
      run_program({"sh", "-c", std::string("ulimit -f 0; ") + PYSTREAM_TEST_COORD + " init new.json"},
                  {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_CONTAINS(run.err, "cannot write new.json: File too large");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Init, SaysWhyItCannotWrite) {
  const ProgramRun run = coord({"init", "/no/such/folder/plan.json"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.err, "pystream-coord: cannot write /no/such/folder/plan.json: No such file or directory\n");
}

TEST(Init, AProjectReplacesNoFile) {
  const TempFolder folder;
  std::filesystem::create_directory(folder.path() / "mine");
  folder.write("mine/stages.cpp", "mine");
  const ProgramRun run = coord({"init", "mine"}, {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_CONTAINS(run.err, "mine/stages.cpp exists already; nothing was written");
  EXPECT_EQ(folder.read("mine/stages.cpp"), "mine");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "mine/meson.build"));
  // Files that are no part of it may be there.
  EXPECT_EQ(coord({"init", "mine", "--language", "shell"}, {.directory = folder.path()}).exit_code, 0);
}

TEST(Init, AFullDiskLeavesNoPartOfAProject) {
  const TempFolder folder;
  const ProgramRun run = run_program({"sh", "-c", std::string("ulimit -f 0; ") + PYSTREAM_TEST_COORD + " init new"},
                                     {.directory = folder.path()});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_CONTAINS(run.err, "cannot write new/");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Init, NamesAProjectAfterItsFolder) {
  const TempFolder folder;
  ASSERT_EQ(coord({"init", "it's 1"}, {.directory = folder.path()}).exit_code, 0);
  EXPECT_CONTAINS(folder.read("it's 1/meson.build"), "project('it_s_1', 'cpp'");
  EXPECT_EQ(folder.read("it's 1/README.md").rfind("# it_s_1\n", 0), 0);
}

TEST(Init, SaysWhatAnOptionIsFor) {
  const TempFolder folder;
  const RunOptions there{.directory = folder.path()};
  EXPECT_CONTAINS(coord({"init", "a", "--example", "tap"}, there).err, "a is a folder; name a file that ends in .json");
  EXPECT_CONTAINS(coord({"init", "a.json", "--language", "cpp"}, there).err, "a.json is a plan; name a folder");
  EXPECT_CONTAINS(coord({"init", "no/such"}, there).err, "cannot make no/such: No such file or directory");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace pystream::test
