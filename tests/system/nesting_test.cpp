#include "support/pipeline_run.hpp"

/// Twelve stages, nested four deep in all mixtures of serial and parallel: the same result as in one flat row.
namespace pystream {
namespace {

using namespace pystream::test;

const char* const kStages[12] = {R"("type": "test.mix", "params": {"key": 1})",
                                 R"("type": "test.add", "params": {"n": 3})",
                                 R"("type": "test.count")",
                                 R"("type": "test.mix", "params": {"key": 2})",
                                 R"("type": "test.filter", "params": {"n": 7})",
                                 R"("type": "test.count")",
                                 R"("type": "test.add", "params": {"n": 5})",
                                 R"("type": "test.mix", "params": {"key": 3})",
                                 R"("type": "test.repeat", "params": {"n": 2})",
                                 R"("type": "test.count")",
                                 R"("type": "test.filter", "params": {"n": 5})",
                                 R"("type": "test.mix", "params": {"key": 4})"};

std::string stages(int first, int last) {
  std::string text;
  for (int i = first; i < last; ++i) {
    text += std::string(i > first ? ", " : "") + R"({"name": "S)" + std::to_string(i) + "\", " + kStages[i] + "}";
  }
  return text;
}

/// `key`: more of it, with a comma behind.
std::string group(const char* name, bool parallel, const std::string& members, const std::string& key = {}) {
  return R"({"name": ")" + std::string(name) + R"(", )" + key + R"("mode": ")" + (parallel ? "parallel" : "serial") +
         R"(", "stages": [)" + members + "]}";
}

/// Bit 0 to 3 of `mixture`: the level is parallel.
std::string nested(unsigned mixture) {
  const std::string innermost = group("D", (mixture & 8) != 0, stages(5, 8));
  const std::string third = group("C", (mixture & 4) != 0, stages(3, 5) + ", " + innermost + ", " + stages(8, 9));
  const std::string second = group("B", (mixture & 2) != 0, stages(1, 3) + ", " + third + ", " + stages(9, 11));
  return stages(0, 1) + ", " + second + ", " + stages(11, 12);
}

std::string plan_of(bool parallel, const std::string& stages, const std::string& source, const std::string& output) {
  return R"({"mode": ")" + std::string(parallel ? "parallel" : "serial") +
         R"(", "plugins": ["libpystream_testing.so"], "source": {)" + source + R"(}, "stages": [)" + stages +
         R"(], "sink": {"type": "file_writer", "params": {"newline": "never", "path": ")" + output +
         R"("}}, "profiler": {"enabled": false}})";
}

/// The output of the flat serial plan, and that of each of the 16 mixtures.
void expect_same_everywhere(const std::string& source) {
  const TempFolder folder;
  const std::string expected =
      output_of(plan_of(false, stages(0, 12), source, folder / "flat"), folder, folder / "flat");
  ASSERT_FALSE(expected.empty());
  for (unsigned mixture = 0; mixture < 16; ++mixture) {
    const auto began = std::chrono::steady_clock::now();
    const std::string output =
        output_of(plan_of((mixture & 1) != 0, nested(mixture), source, folder / "nested"), folder, folder / "nested");
    EXPECT_TRUE(output == expected) << "mixture " << mixture << ": " << output.size() << " of " << expected.size();
    std::printf("mixture %2u: %zu bytes, %.1f s\n", mixture, output.size(),
                std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    std::fflush(stdout);
  }
}

/// Three levels without state, each in two replicas where it may have some, and so is each stage of a parallel one.
std::string nested_in_replicas(unsigned mixture) {
  const auto parallel = [&](unsigned level) { return (mixture >> level & 1) != 0; };
  const auto key = [&](bool may) { return std::string(may ? R"("replicas": 2, )" : ""); };
  const auto stage = [&](int index, bool may) {
    return R"({"name": "S)" + std::to_string(index) + R"(", )" + key(may) + kStages[index] + "}";
  };
  const std::string innermost =
      group("C", parallel(2), stage(8, parallel(2)) + ", " + stage(3, false), key(parallel(1) || parallel(2)));
  const std::string second =
      group("B", parallel(1), stage(4, parallel(1)) + ", " + innermost, key(parallel(0) || parallel(1)));
  return stage(1, parallel(0)) + ", " + second + ", " + stage(11, false);
}

TEST(NestingTest, ReplicasInEveryMixtureGiveWhatTheFlatRowGives) {
  const std::string source = R"("type": "generate", "params": {"size": 0, "max_size": 4096, "count": )" +
                             std::string(std::getenv("PYSTREAM_TEST_FULL") != nullptr ? "20000" : "300") + "}";
  const TempFolder folder;
  const auto one = [](int index) { return R"({"name": "S)" + std::to_string(index) + R"(", )" + kStages[index] + "}"; };
  const std::string flat = one(1) + ", " + one(4) + ", " + one(8) + ", " + one(3) + ", " + one(11);
  const std::string expected = output_of(plan_of(false, flat, source, folder / "flat"), folder, folder / "flat");
  ASSERT_FALSE(expected.empty());
  for (unsigned mixture = 0; mixture < 8; ++mixture) {
    const std::string plan = plan_of((mixture & 1) != 0, nested_in_replicas(mixture), source, folder / "nested");
    EXPECT_TRUE(output_of(plan, folder, folder / "nested") == expected) << "mixture " << mixture << "\n" << plan;
  }
}

bool is_full() {
  return std::getenv("PYSTREAM_TEST_FULL") != nullptr;
}

/// Of 0, 1 and 64 bytes, 4 KiB, 1 MiB and 16 MiB.
TEST(NestingTest, EveryMixtureGivesWhatTheFlatRowGives) {
  expect_same_everywhere(R"("type": "test.sizes", "params": {"count": )" + std::string(is_full() ? "100000" : "2500") +
                         "}");
}

TEST(NestingTest, EveryMixtureGivesWhatTheFlatRowGivesForRandomSizes) {
  expect_same_everywhere(R"("type": "generate", "params": {"size": 0, "max_size": 4096, "count": )" +
                         std::string(is_full() ? "100000" : "1500") + "}");
}

}  // namespace
}  // namespace pystream
