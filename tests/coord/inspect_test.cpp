#include "coord/inspect.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace pystream::coord {
namespace {

using namespace std::chrono_literals;

const std::filesystem::path kWorker = PYSTREAM_TEST_WORKER;
const std::string kTesting = "libpystream_testing.so";

std::string odd_plugin(const std::string& name) {
  return std::string(PYSTREAM_TEST_PLUGINS) + "/libpystream_" + name + ".so";
}

bool has_type(const std::vector<StageType>& types, const std::string& name) {
  return std::ranges::find(types, name, &StageType::name) != types.end();
}

/// The PluginError of inspecting `plugins`.
PluginError fault_of(const std::vector<std::string>& plugins, const InspectLimits& limits = {}) {
  try {
    inspect_plugins(kWorker, plugins, limits);
  } catch (const PluginError& error) {
    return error;
  }
  return {"", "no fault"};
}

TEST(Inspect, WithoutPluginsGivesTheBundledTypes) {
  const auto types = inspect_plugins(kWorker, {});
  EXPECT_TRUE(has_type(types, "generate"));
  EXPECT_FALSE(has_type(types, "test.add"));
}

TEST(Inspect, GivesTheTypesOfPluginsToo) {
  const auto types = inspect_plugins(kWorker, std::span(&kTesting, 1));
  EXPECT_TRUE(has_type(types, "generate"));
  const auto count = std::ranges::find(types, std::string("test.count"), &StageType::name);
  ASSERT_NE(count, types.end());
  EXPECT_EQ(count->checkpoint_bytes, 8U);
  EXPECT_EQ(count->info.input, "any");
}

TEST(Inspect, NamesTheMissingPlugin) {
  const PluginError error = fault_of({kTesting, "libmissing.so"});
  EXPECT_EQ(error.plugin(), "libmissing.so");
  EXPECT_NE(std::string(error.what()).find("libmissing.so\" was not found; looked in"), std::string::npos)
      << error.what();
}

TEST(Inspect, NamesThePluginThatCrashesAndTheSignal) {
  const PluginError error = fault_of({kTesting, odd_plugin("aborting")});
  EXPECT_EQ(error.plugin(), odd_plugin("aborting"));
  EXPECT_EQ(std::string(error.what()),
            "plugin \"" + odd_plugin("aborting") +
                "\": the worker program was killed by signal 6 (Aborted) while it loaded the "
                "stage types");
}

TEST(Inspect, NamesThePluginThatHangs) {
  const PluginError error = fault_of({odd_plugin("sleeping")}, {.deadline = 1000ms});
  EXPECT_EQ(error.plugin(), odd_plugin("sleeping"));
  EXPECT_NE(std::string(error.what()).find("took too long and was killed"), std::string::npos) << error.what();
}

TEST(Inspect, NamesThePluginThatWritesToStandardOutput) {
  const PluginError error = fault_of({odd_plugin("talking"), kTesting});
  EXPECT_EQ(error.plugin(), odd_plugin("talking"));
  EXPECT_NE(std::string(error.what()).find("must not write to standard output"), std::string::npos) << error.what();
}

TEST(Inspect, NamesTheSecondOfTwoPluginsWithOneType) {
  const PluginError error = fault_of({kTesting, odd_plugin("doubling")});
  EXPECT_EQ(error.plugin(), odd_plugin("doubling"));
  EXPECT_NE(std::string(error.what()).find("test.add"), std::string::npos) << error.what();
}

TEST(Inspect, LimitsTheOutput) {
  EXPECT_THROW(inspect_plugins(kWorker, {}, {.output = 100}), Error);
}

TEST(Inspect, AWorkerProgramThatDoesNotWorkIsNoPluginsFault) {
  try {
    inspect_plugins("/bin/false", std::span(&kTesting, 1));
    FAIL() << "no error";
  } catch (const PluginError& error) {
    FAIL() << "blamed the plugin: " << error.what();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("/bin/false does not work: "), std::string::npos) << error.what();
  }
}

TEST(Inspect, FindsTheWorkerProgram) {
  EXPECT_EQ(find_worker_program(kWorker), kWorker);
  ::setenv("PYSTREAM_WORKER", kWorker.c_str(), 1);
  EXPECT_EQ(find_worker_program(), kWorker);
  ::setenv("PYSTREAM_WORKER", "/no/such/program", 1);
  EXPECT_THROW(find_worker_program(), Error);
  ::unsetenv("PYSTREAM_WORKER");
  // In the build folder of the library.
  EXPECT_EQ(find_worker_program(), kWorker);
  EXPECT_THROW(find_worker_program("/etc/passwd"), Error);
}

}  // namespace
}  // namespace pystream::coord
