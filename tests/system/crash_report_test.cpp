#include "coord/crash_report.hpp"

#include <csignal>
#include <cstring>
#include <memory>
#include <string>

#include "support/sanitized.hpp"
#include "system/fault_plan.hpp"

namespace pystream::test {
namespace {

TEST(CrashReport, ShowsWhereAndHowOften) {
  const FaultRun result = run_stages(crash_stage("Bad", "segv", 5, "", 2));
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_CONTAINS(result.run.err, "crash: stage Bad was killed by SIG");
  EXPECT_CONTAINS(result.run.err, "(2 times) on item 5");
  if (!kSanitized) {
    EXPECT_CONTAINS(result.run.err, "no access to 0x");
    EXPECT_CONTAINS(result.run.err, "#0 libpystream_testing.so+0x");
  }
}

TEST(CrashReport, AFullStackCanStillBeReported) {
  if (kSanitized) {
    GTEST_SKIP() << "with AddressSanitizer a worker has no crash handler of its own, which this test is about";
  }
  const FaultRun result = run_stages(crash_stage("Deep", "overflow", 5, "", 1));
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_CONTAINS(result.run.err, "crash: stage Deep was killed by SIGSEGV");
  EXPECT_CONTAINS(result.run.err, "#0 libpystream_testing.so+0x");
}

TEST(CrashReport, ShowsTheLastLinesOfTheStage) {
  const FaultRun result = run_stages(
      R"({"name": "Program", "type": "exec", "on_crash": "skip",
          "params": {"command": ["sh", "-c", "read x; echo its last words >&2; exit 3"], "in_flight": 1}})",
      kNoProfile);
  EXPECT_CONTAINS(result.run.err, "  | its last words");
}

TEST(CrashReport, AStageThatEndsItsProcessQuietlyIsReportedToo) {
  const FaultRun result = run_stages(crash_stage("Bad", "leave", 5, "", 1));
  EXPECT_EQ(result.run.exit_code, 0) << result.run.err;
  EXPECT_EQ(result.out, numbered_lines(0, 100));
  EXPECT_CONTAINS(result.run.err, "crash: stage Bad ended with exit code 0 on item 5, attempt 1");
}

TEST(CrashReport, TheEndNamesStageSignalAndItem) {
  const FaultRun result = run_stages(crash_stage("Bad", "abort", 7, R"(, "on_crash": "fail")"));
  EXPECT_EQ(result.run.exit_code, 1);
  EXPECT_CONTAINS(result.run.err, "failed: stage Bad was killed by SIGABRT (Aborted) on item 7");
}

TEST(CrashReport, TheSameCrashIsOneGroup) {
  coord::CrashLog log;
  coord::CrashReport report{.stage = "A", .signal = SIGSEGV, .item = 1};
  report.frames.push_back({.address = 1, .module = "lib", .offset = 16});
  log.add(report);
  report.item = 2;
  log.add(report);
  report.frames[0].offset = 32;
  log.add(report);
  report.frames[0].module = "other";
  log.add(report);
  ASSERT_EQ(log.groups().size(), 3U) << "the same offset in another module is another place";
  EXPECT_EQ(log.groups()[0].count, 2U);
  EXPECT_EQ(log.groups()[0].items, (std::vector<std::uint64_t>{1, 2}));
  for (std::uint64_t i = 0; i < 1000; ++i) {
    report.frames[0].offset = 100 + i;
    log.add(report);
  }
  EXPECT_LE(log.groups().size(), 20U);
  EXPECT_EQ(log.left_out(), 1000 - (log.groups().size() - 3));
}

TEST(CrashReport, AKillDuringTheReportIsNotMistakenForTheFault) {
  const auto record = std::make_unique<shm::CrashRecord>();
  record->code = SEGV_MAPERR;
  record->signal = SIGSEGV;
  coord::CrashReport killed{.stage = "A", .signal = SIGKILL};
  coord::read_crash_record(*record, killed);
  EXPECT_EQ(how_it_died(killed),
            "was killed by SIGKILL (Killed), while it reported SIGSEGV (Segmentation fault): nothing is mapped at 0x0");
  coord::CrashReport crashed{.stage = "A", .signal = SIGSEGV};
  coord::read_crash_record(*record, crashed);
  EXPECT_EQ(how_it_died(crashed), "was killed by SIGSEGV (Segmentation fault), nothing is mapped at 0x0");
}

/// The worker that wrote it had gone wrong.
TEST(CrashReport, ARecordOfGarbageDoesNoHarm) {
  const auto record = std::make_unique<shm::CrashRecord>();
  std::memset(static_cast<void*>(record.get()), 0xff, sizeof(*record));
  coord::CrashReport report;
  coord::read_crash_record(*record, report);
  EXPECT_EQ(report.frames.size(), shm::kCrashFrames);
  EXPECT_TRUE(report.frames[0].module.empty());
  record->frame[0].place = std::uint64_t{1} << shm::kModuleShift;
  coord::CrashReport second;
  coord::read_crash_record(*record, second);
  EXPECT_EQ(second.frames[0].module, std::string(shm::kModulePath, '?')) << "nothing that a terminal would obey";
  EXPECT_FALSE(describe(second).empty());
}

}  // namespace
}  // namespace pystream::test
