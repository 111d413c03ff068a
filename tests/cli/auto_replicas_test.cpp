#include <thread>

#include "cli/coord_program.hpp"

/// `"replicas": "auto"`, and the command that tells what it takes.
namespace pystream::test {
namespace {

class AutoReplicas : public testing::Test {
 protected:
  AutoReplicas() {
    folder_.write("slow.json", R"({"source": {"type": "generate", "params": {"count": 300, "size": 8}},
      "stages": [{"name": "Slow", "type": "wait", "params": {"time": "2ms"}, "replicas": "auto"}],
      "sink": {"type": "file_writer", "params": {"path": "out.bin"}}, "profiler": {"folder": "profiles"}})");
  }
  ProgramRun run(std::vector<std::string> arguments) {
    return coord(std::move(arguments), {.directory = folder_.path()});
  }

  TempFolder folder_;
};

TEST_F(AutoReplicas, AreOneInTheFirstRunAndThenWhatItsProfileRecommends) {
  const ProgramRun first = run({"run", "slow.json"});
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_NE(first.err.find("replicas of Slow: 1, as there is no profile of an earlier run of this plan"),
            std::string::npos)
      << first.err;
  // The stage is much slower than the others, so the cores are the limit.
  const unsigned expected = std::clamp(std::thread::hardware_concurrency(), 1U, 63U);
  const ProgramRun second = run({"run", "slow.json"});
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_NE(second.err.find("replicas of Slow: " + std::to_string(expected) + ", as run 1 recommends"),
            std::string::npos)
      << second.err;
  if (expected > 1) {
    EXPECT_NE(second.err.find("Slow#" + std::to_string(expected)), std::string::npos) << second.err;
  }
}

TEST_F(AutoReplicas, AreNamedByValidate) {
  const ProgramRun sut = run({"validate", "slow.json"});
  EXPECT_EQ(sut.exit_code, 0);
  EXPECT_NE(sut.out.find("replicas of Slow: 1, as there is no profile"), std::string::npos) << sut.out;
}

TEST_F(AutoReplicas, AdviseShowsThemAndFailsWithoutARun) {
  const ProgramRun none = run({"advise", "slow", "--folder", "profiles"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_NE(none.err, "");
  ASSERT_EQ(run({"run", "slow.json", "--quiet"}).exit_code, 0);
  const ProgramRun sut = run({"advise", "slow", "--folder", "profiles"});
  EXPECT_EQ(sut.exit_code, 0) << sut.err;
  EXPECT_NE(sut.out.find("Slow"), std::string::npos) << sut.out;
  EXPECT_NE(sut.out.find("recommended"), std::string::npos) << sut.out;
  const ProgramRun other = run({"advise", "other", "--folder", "profiles"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.err.find("no run of other that has ended has a profile"), std::string::npos) << other.err;
}

}  // namespace
}  // namespace pystream::test
