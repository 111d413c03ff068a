#include "setup/plugins.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <pystream/error.hpp>

#include "support/temp_folder.hpp"

namespace pystream::setup {
namespace {

/// Two folders of the variable, and two that it does not name.
class PluginPathTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* folder : {"first", "second", "elsewhere"}) {
      std::filesystem::create_directory(in_(folder));
    }
    ::setenv("PYSTREAM_PLUGIN_PATH", (in_("first") + ":" + in_("second") + ":" + in_("missing")).c_str(), 1);
  }
  void TearDown() override { ::unsetenv("PYSTREAM_PLUGIN_PATH"); }

  std::string in_(const std::string& name) const { return (root_.path() / name).string(); }

  test::TempFolder root_;
};

std::string message_of(const std::string& plugin) {
  try {
    return "found " + find_plugin(plugin);
  } catch (const Error& error) {
    return error.what();
  }
}

TEST_F(PluginPathTest, TheFirstFolderThatHasThePluginCounts) {
  test::write_file(in_("second/libmine.so"), "");
  EXPECT_EQ(find_plugin("libmine.so"), in_("second/libmine.so"));
  test::write_file(in_("first/libmine.so"), "");
  EXPECT_EQ(find_plugin("libmine.so"), in_("first/libmine.so"));
}

TEST_F(PluginPathTest, ComesBeforeTheBundledPlugins) {
  test::write_file(in_("second/") + kCorePlugin, "");
  EXPECT_EQ(find_plugin(kCorePlugin), in_("second/") + kCorePlugin);
}

TEST_F(PluginPathTest, IsSearchedForAllPluginsInTheSameOrder) {
  test::write_file(in_("first/libmine.so"), "");
  test::write_file(in_("second/libmine.so"), "");
  test::write_file(in_("second/libother.so"), "");
  const std::vector<std::filesystem::path> files = plugin_files(in_("elsewhere"));
  const auto has = [&](const std::string& file) {
    return std::ranges::count(files, std::filesystem::path(in_(file))) == 1;
  };
  EXPECT_TRUE(has("first/libmine.so"));
  EXPECT_FALSE(has("second/libmine.so"));
  EXPECT_TRUE(has("second/libother.so"));
}

TEST_F(PluginPathTest, RelativeFoldersAreThoseOfTheWorkingFolder) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(root_.path());
  ::setenv("PYSTREAM_PLUGIN_PATH", "first", 1);
  test::write_file(in_("first/libmine.so"), "");
  EXPECT_EQ(message_of("libmine.so"), "found " + in_("first/libmine.so"));
  std::filesystem::current_path(before);
}

TEST_F(PluginPathTest, AMissingPluginIsReportedWithTheFoldersOfTheVariable) {
  const std::string message = message_of("libmine.so");
  EXPECT_NE(message.find("\n  " + in_("first") + " (of PYSTREAM_PLUGIN_PATH)\n"), std::string::npos) << message;
  EXPECT_NE(message.find("\n  " + in_("missing") + " (of PYSTREAM_PLUGIN_PATH; is no folder)\n"), std::string::npos)
      << message;
  EXPECT_NE(message.find("set PYSTREAM_PLUGIN_PATH to its folder"), std::string::npos) << message;
}

TEST_F(PluginPathTest, ANameWithASlashIsAPath) {
  test::write_file(in_("first/libmine.so"), "");
  EXPECT_EQ(message_of("./libmine.so"), "plugin \"./libmine.so\" does not exist");
}

}  // namespace
}  // namespace pystream::setup
