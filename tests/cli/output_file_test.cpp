#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>

#include "cli/coord_program.hpp"

/// What commands write with -o.
namespace pystream::test {
namespace {

namespace fs = std::filesystem;

struct Writer {
  std::string name;
  std::vector<std::string> command;  ///< without -o
  std::vector<std::string> failing;  ///< the same for something that is not there
};

void PrintTo(const Writer& writer, std::ostream* out) {
  *out << writer.name;
}

/// A folder with a run in its profile database, and with a dead letter.
class OutputFileTest : public testing::TestWithParam<Writer> {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TempFolder;  // NOLINT: for all tests of the suite
    folder_->write("in.txt", "one\ntwo\nthree\n");
    folder_->write("plan.json", R"({"plugins": ["libpystream_testing.so"],
      "source": {"type": "lines", "params": {"path": "in.txt"}},
      "stages": [{"name": "Bad", "type": "test.crash", "params": {"how": "throw", "sequence": 1, "attempts": 99}}],
      "sink": {"type": "discard"}})");
    ran_ = coord({"run", "plan.json"}, options());
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  void SetUp() override {
    require_the_run();
    fs::remove_all(place());
    fs::create_directories(place());
  }
  void TearDown() override { EXPECT_EQ(leftovers(), "") << "nothing stands beside the file"; }
  static void require_the_run() { ASSERT_NE(ran_.err.find("Bad"), std::string::npos) << ran_.err; }

  static RunOptions options() {
    return {.environment = {"PYSTREAM_PROFILES=" + *folder_ / "profiles"}, .directory = folder_->path()};
  }
  static std::string place() { return *folder_ / "place"; }
  static std::string file() { return place() + "/file"; }
  static std::string content() { return folder_->read("place/file"); }
  static std::string leftovers() {
    std::string names;
    for (const auto& entry : fs::directory_iterator(place())) {
      const std::string name = entry.path().filename();
      names += name.starts_with("file") ? "" : name + " ";
    }
    return names;
  }
  ProgramRun write_to(const std::string& where) const {
    std::vector<std::string> command = GetParam().command;
    command.insert(command.end(), {"-o", where});
    return coord(command, options());
  }
  /// The command in a shell, with `before` in front of it and `behind` after it.
  ProgramRun in_shell(const std::string& before, const std::string& behind) const {
    std::string line = before + " " + PYSTREAM_TEST_COORD;
    for (const std::string& word : GetParam().command) {
      line += " " + word;
    }
    return run_program({"sh", "-c", line + " " + behind}, options());
  }

  static TempFolder* folder_;
  static ProgramRun ran_;
};

TempFolder* OutputFileTest::folder_ = nullptr;
ProgramRun OutputFileTest::ran_;

TEST_P(OutputFileTest, WhatFailsLeavesAnOldFileAsItIs) {
  folder_->write("place/file", "old");
  std::vector<std::string> command = GetParam().failing;
  command.insert(command.end(), {"-o", file()});
  EXPECT_NE(coord(command, options()).exit_code, 0);
  EXPECT_EQ(content(), "old");
}

TEST_P(OutputFileTest, WhatFailsMakesNoFile) {
  std::vector<std::string> command = GetParam().failing;
  command.insert(command.end(), {"-o", file()});
  EXPECT_NE(coord(command, options()).exit_code, 0);
  EXPECT_FALSE(fs::exists(file()));
}

TEST_P(OutputFileTest, AFullDiskLeavesAnOldFileAsItIs) {
  folder_->write("place/file", "old");
  const ProgramRun run = in_shell("ulimit -f 0;", "-o place/file");
  EXPECT_EQ(run.exit_code, 1) << run.err;
  if (GetParam().name == "graph" || GetParam().name == "schema") {  // the others cannot even read the database then
    EXPECT_CONTAINS(run.err, "cannot write place/file: File too large");
  }
  EXPECT_EQ(content(), "old");
}

TEST_P(OutputFileTest, AFullDeviceIsTold) {
  const ProgramRun run = write_to("/dev/full");
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_EQ(run.err, "pystream-coord: cannot write /dev/full: No space left on device\n");
}

TEST_P(OutputFileTest, TheOldPermissionsStay) {
  folder_->write("place/file", "old");
  ASSERT_EQ(::chmod(file().c_str(), 0640), 0);
  ASSERT_EQ(write_to(file()).exit_code, 0);
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
  EXPECT_NE(content(), "old");
}

TEST_P(OutputFileTest, NewFilesHaveTheUsualPermissions) {
  const ProgramRun run = in_shell("umask 027;", "-o place/file");
  ASSERT_EQ(run.exit_code, 0) << run.err;
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0640U);
}

TEST_P(OutputFileTest, ALinkStaysALink) {
  folder_->write("place/file.real", "old");
  fs::create_symlink("file.real", file());
  ASSERT_EQ(write_to(file()).exit_code, 0);
  EXPECT_TRUE(fs::is_symlink(file()));
  EXPECT_NE(folder_->read("place/file.real"), "old");
}

TEST_P(OutputFileTest, ALinkToNothingMakesWhatItNames) {
  fs::create_symlink("file.new", file());
  ASSERT_EQ(write_to(file()).exit_code, 0);
  EXPECT_TRUE(fs::is_symlink(file()));
  EXPECT_TRUE(fs::is_regular_file(place() + "/file.new"));
}

TEST_P(OutputFileTest, DevicesStayDevices) {
  EXPECT_EQ(write_to("/dev/null").exit_code, 0);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_P(OutputFileTest, PipesAreWrittenThrough) {
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  const ProgramRun run = in_shell("cat place/file > place/file.copy &", "-o place/file && wait");
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(fs::is_fifo(file()));
  EXPECT_GT(folder_->read("place/file.copy").size(), 0U);
}

TEST_P(OutputFileTest, StandardOutputByAnyNameGoesOnWhereItIs) {
  ASSERT_EQ(write_to(file()).exit_code, 0);
  const std::string whole = content();
  for (const char* name : {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "-", "place/file"}) {
    const ProgramRun run = in_shell("{ echo first;", std::string("-o ") + name + "; echo last; } > place/file");
    EXPECT_EQ(content(), "first\n" + whole + "last\n") << name << run.err;
  }
}

TEST_P(OutputFileTest, AFolderIsNoFile) {
  const ProgramRun run = write_to(place());
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_CONTAINS(run.err, "Is a directory");
}

TEST_P(OutputFileTest, WhatTheCommandReadsStaysAsItIs) {
  const std::map<std::string, std::string> reads{{"graph", "plan.json"}, {"schema", "plugin.so"}};
  const auto own = reads.find(GetParam().name);
  const std::string read = *folder_ / (own != reads.end() ? own->second : "profiles/last_profiles.sqlite");
  std::vector<std::string> command = GetParam().command;
  if (GetParam().name == "schema") {
    fs::copy_file(odd_plugin("stateful"), read, fs::copy_options::overwrite_existing);
    command.insert(command.end(), {"--plugin", read});
  }
  const std::string before = read_file(read);
  fs::create_symlink(read, file());
  for (const std::string& name : {read, file()}) {
    std::vector<std::string> words = command;
    words.insert(words.end(), {"-o", name});
    const ProgramRun run = coord(words, options());
    EXPECT_EQ(run.exit_code, 2) << name;
    EXPECT_CONTAINS(run.err, "is an input of this command and would be overwritten");
  }
  EXPECT_EQ(read_file(read), before);
}

/// A plugin of the plan, or one that is named without its folder, is read as well.
TEST(OutputFilePlugins, StayAsTheyAre) {
  const TempFolder folder;
  const std::string plugin = folder / "libodd.so";
  fs::copy_file(odd_plugin("stateful"), plugin);
  const std::string before = read_file(plugin);
  folder.write("with_plugin.json", R"({"plugins": ["./libodd.so"],
      "source": {"type": "generate", "params": {"count": 1}}, "stages": [{"name": "A", "type": "wait"}],
      "sink": {"type": "discard"}})");
  const RunOptions at{.environment = {"PYSTREAM_PLUGIN_PATH=" + folder.path().string()}, .directory = folder.path()};
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"graph", "with_plugin.json"}, {"schema", "--plugin", "libodd.so"}}) {
    std::vector<std::string> words = command;
    words.insert(words.end(), {"-o", plugin});
    const ProgramRun run = coord(words, at);
    EXPECT_EQ(run.exit_code, 2) << command.front();
    EXPECT_CONTAINS(run.err, "is an input of this command and would be overwritten");
    EXPECT_EQ(read_file(plugin), before) << command.front();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Commands, OutputFileTest,
    testing::Values(Writer{"graph", {"graph", "plan.json"}, {"graph", "no_plan.json"}},
                    Writer{"schema", {"schema"}, {"schema", "--plugin", "./no_plugin.so"}},
                    Writer{"trace", {"trace", "1"}, {"trace", "4711"}},
                    Writer{"report", {"report", "1"}, {"report", "4711"}},
                    Writer{"profile", {"profile", "--format", "json"}, {"profile", "--run", "4711"}},
                    Writer{
                        "letter", {"dead-letters", "show", "1", "--bytes"}, {"dead-letters", "show", "9", "--bytes"}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace pystream::test
