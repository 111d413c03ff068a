#include <sys/statfs.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <thread>

#include "system/profile_support.hpp"

namespace pystream::test {
namespace {

const std::vector<std::string> kStages{
    R"({"name": "A", "type": "test.mix"})",
    R"({"name": "Child", "stages": [{"name": "B", "type": "test.mix"}, {"name": "C", "type": "test.add"}]})",
    R"({"name": "Row", "mode": "serial", "stages": [{"name": "D", "type": "test.mix"}, {"name": "E", "type": "test.add"}]})"};

/// A, B, C, …
std::vector<std::string> mixing_stages(int count) {
  std::vector<std::string> stages;
  for (int i = 0; i < count; ++i) {
    stages.push_back(R"({"name": ")" + std::string(1, static_cast<char>('A' + i)) + R"(", "type": "test.mix"})");
  }
  return stages;
}

TEST_F(ProfileSystemTest, EveryKeyOfEveryLevelHasExactCounts) {
  const ProgramRun run = coord({"run", plan(5000, "20us", kStages), "--quiet"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  Sqlite sqlite(database());
  EXPECT_EQ(sqlite.value("SELECT outcome FROM runs"), "done");
  std::vector<std::string> keys;
  for (const auto& row : sqlite.rows("SELECT key, items, role, worker FROM stages ORDER BY position")) {
    keys.push_back(row[0]);
    if (!row[3].empty()) {
      EXPECT_EQ(row[1], "5000") << row[0];
    }
  }
  const std::string p = "MainPipeline";
  EXPECT_EQ(keys,
            (std::vector<std::string>{p, p + "__Source", p + "__A", p + "__Child", p + "__Child__B", p + "__Child__C",
                                      p + "__Row", p + "__Row__D", p + "__Row__E", p + "__Sink"}));
  EXPECT_EQ(sqlite.number("SELECT min(n) FROM (SELECT sum(items) AS n FROM windows GROUP BY stage)"), 5000);
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM stages WHERE worker IS NOT NULL AND timed <> "
                          "(SELECT sum(items) FROM histograms WHERE stage = stages.id)"),
            0);
  expect_intact();
}

TEST_F(ProfileSystemTest, LatencyAndThroughputHaveTheShapeOfPyStream) {
  const std::string all = R"(, "profiler": {"rows_per_second": 100000})";
  ASSERT_EQ(coord({"run", plan(500, "200us", kStages, all), "--quiet"}).exit_code, 0);
  Sqlite sqlite(database());
  std::vector<std::string> expected{"data_num"};
  for (const auto& row : sqlite.rows("SELECT key FROM stages ORDER BY position")) {
    expected.push_back(row[0]);
  }
  EXPECT_EQ(sqlite.columns("Latency"), expected);
  EXPECT_EQ(sqlite.columns("Throughput"), expected);
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM Latency"), 500);
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM Latency WHERE MainPipeline < MainPipeline__A + MainPipeline__Child__B"),
            0);
  // An item of a worker that does not wait begins when the one before it ends: up to a moment before it came.
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM Latency WHERE MainPipeline__Child < MainPipeline__Child__B - 1e-5"), 0);
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM Throughput WHERE MainPipeline__Sink IS NULL"), 1) << "the first item";
}

TEST_F(ProfileSystemTest, CountsAndRowsAreExactAfterManyKills) {
  PipelineRun run(
      plan_text(30'000, "50us", {R"({"name": "A", "type": "test.mix"})", R"({"name": "B", "type": "test.add"})"}),
      folder_, {"--quiet"});
  ASSERT_TRUE(wait_until([&] { return run.workers().size() == 4; }));
  int kills = 0;
  for (unsigned round = 0; round < 400 && !run.ended(); ++round) {
    const std::vector<pid_t> workers = run.workers();
    if (!workers.empty()) {  // the list may be short while one of them dies
      kills += ::kill(workers[round % workers.size()], SIGKILL) == 0 ? 1 : 0;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1 + round % 7));
  }
  ASSERT_EQ(run.wait(), 0) << run.errors();
  ASSERT_TRUE(std::filesystem::exists(database())) << run.errors();
  Sqlite sqlite(database());
  for (const auto& row :
       sqlite.rows("SELECT key, items, timed, (SELECT sum(items) FROM histograms WHERE stage = stages.id), samples "
                   "FROM stages WHERE role <> 'pipeline'")) {
    EXPECT_EQ(row[1], "30000") << row[0] << " after " << kills << " kills";
    EXPECT_EQ(row[2], row[3]) << row[0];
  }
  EXPECT_EQ(
      sqlite.number(
          "SELECT count(*) FROM (SELECT stage, sequence FROM items GROUP BY stage, sequence HAVING count(*) > 1)"),
      0);
  EXPECT_EQ(
      sqlite.number("SELECT count(*) FROM (SELECT stage, max(input) - min(input) + 1 AS span, count(*) AS n FROM items "
                    "JOIN stages ON stages.id = stage WHERE sampled_shift = 0 AND rows_lost = 0 AND samples = rows "
                    "AND samples = stages.items GROUP BY stage HAVING span <> n)"),
      0);
  EXPECT_GT(sqlite.number("SELECT count(*) FROM events WHERE kind = 'crash' AND signal = 9"), 0);
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM events WHERE kind = 'crash'"),
            sqlite.number("SELECT count(*) FROM events WHERE kind = 'restart'"));
  expect_intact();
}

TEST_F(ProfileSystemTest, ALockedDatabaseDoesNotStopThePipeline) {
  ASSERT_EQ(coord({"run", plan(10, "0s", kStages), "--quiet"}).exit_code, 0);
  Sqlite locker(database());
  locker.run("BEGIN IMMEDIATE");
  PipelineRun run(plan_text(20'000, "100us", {R"({"name": "A", "type": "test.mix"})"}), folder_, {"--quiet"});
  std::this_thread::sleep_for(std::chrono::seconds(1));
  locker.run("ROLLBACK");
  ASSERT_TRUE(wait_until([&] { return locker.number("SELECT count(*) FROM runs") == 2; }));
  locker.run("BEGIN IMMEDIATE");
  std::this_thread::sleep_for(std::chrono::seconds(1));
  locker.run("ROLLBACK");
  ASSERT_EQ(run.wait(), 0) << run.errors();
  EXPECT_EQ(locker.number("SELECT items FROM stages WHERE run = 2 AND key = 'MainPipeline__A'"), 20'000);
  EXPECT_EQ(locker.number("SELECT rows_lost FROM stages WHERE run = 2 AND key = 'MainPipeline__A'"), 0)
      << "the ring holds seconds";
  expect_intact();
}

TEST_F(ProfileSystemTest, ADatabaseWithoutTablesHoldsNoRun) {
  std::filesystem::create_directories(profiles());
  write_file(database(), "");  // its maker was killed
  for (const char* command : {"profile", "runs", "why"}) {
    const ProgramRun run = coord({command});
    EXPECT_EQ(run.exit_code, 1) << command;
    EXPECT_NE(run.err.find("holds no run"), std::string::npos) << command << run.err;
  }
}

/// A letter must be on the disk before its item is given up. Whoever sees the pipeline stand still learns why.
TEST_F(ProfileSystemTest, ALetterThatWaitsForALockedDatabaseSaysSo) {
  ASSERT_EQ(coord({"run", plan(10, "0s", kStages), "--quiet"}).exit_code, 0);
  Sqlite locker(database());
  locker.run("BEGIN IMMEDIATE");
  PipelineRun run(
      plan_text(10, "0s", {R"({"name": "Bad", "type": "test.crash", "params": {"how": "throw", "sequence": 5}})"}),
      folder_);
  EXPECT_TRUE(wait_until([&] { return run.errors().find("a dead letter waits: ") != std::string::npos; }))
      << run.errors();
  locker.run("ROLLBACK");
  EXPECT_EQ(run.wait(), 3) << run.errors();
  EXPECT_EQ(locker.number("SELECT count(*) FROM dead_letters"), 1);
}

/// The run is over and only waits for its profile to be written. A signal cancels this wait.
TEST_F(ProfileSystemTest, ASignalEndsTheWaitForALockedDatabase) {
  ASSERT_EQ(coord({"run", plan(10, "0s", kStages), "--quiet"}).exit_code, 0);
  Sqlite locker(database());
  locker.run("BEGIN IMMEDIATE");
  PipelineRun run(plan_text(10, "0s", {R"({"name": "A", "type": "test.mix"})"}), folder_);
  ASSERT_TRUE(wait_until([&] {
    return run.workers().empty() && run.errors().find("the profile waits") != std::string::npos;
  })) << run.errors();
  int code = -1;
  for (int signals = 0; signals < 3 && code == -1; ++signals) {  // one that comes before the wait only drains
    run.signal(SIGTERM);
    code = run.wait(std::chrono::seconds(4));
  }
  EXPECT_EQ(code, 0) << "by itself it waits for 20 s";
  EXPECT_NE(run.errors().find("the profile of this run is not written"), std::string::npos)
      << "it ended before the lock, and says so: " << run.errors();
  locker.run("ROLLBACK");
}

/// All the time a reader holds a snapshot, so that nothing of the log can go into the database, and every now and then
/// another program locks it. The benchmark `profile snapshot` does the same with a minute.
TEST_F(ProfileSystemTest, EightWritersLoseNoRowBesideASnapshotAndALock) {
  const char* wanted = std::getenv("PYSTREAM_TEST_SNAPSHOT_S");
  const long seconds = wanted != nullptr ? std::stol(wanted) : 3;
  const long items = 5'000 * seconds;
  const std::string all = R"(, "profiler": {"rows_per_second": 200000, "max_history": 100000000})";
  ASSERT_EQ(coord({"run", plan(10, "0s", mixing_stages(6)), "--quiet"}).exit_code, 0);
  Sqlite reader(database());
  reader.run("BEGIN");
  EXPECT_EQ(reader.number("SELECT count(*) FROM runs"), 1);
  PipelineRun run(plan_text(items, "200us", mixing_stages(6), all), folder_, {"--quiet"});
  Sqlite locker(database());
  ASSERT_TRUE(wait_until([&] { return locker.number("SELECT count(*) FROM row_cursors WHERE run = 2") == 8; }));
  int locks = 0;
  for (; !run.ended() && locks < seconds; ++locks) {
    locker.run("BEGIN IMMEDIATE");
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    locker.run("ROLLBACK");
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  ASSERT_EQ(run.wait(), 0) << run.errors();
  EXPECT_GT(locks, 0);
  EXPECT_EQ(reader.number("SELECT count(*) FROM runs"), 1) << "it still sees the old state";
  reader.run("COMMIT");
  EXPECT_EQ(reader.number("SELECT rows_lost FROM RunSummary WHERE run = 2"), 0);
  EXPECT_EQ(reader.number("SELECT count(*) FROM stages WHERE run = 2 AND rows = " + std::to_string(items)), 9);
  EXPECT_EQ(reader.number("SELECT count(*) FROM items JOIN stages ON stages.id = stage WHERE run = 2"), 9 * items);
  EXPECT_EQ(reader.number("SELECT min(n) FROM (SELECT sum(windows.items) AS n FROM windows "
                          "JOIN stages ON stages.id = stage WHERE run = 2 GROUP BY stage)"),
            items);
  expect_intact();
  // What the reader has kept in the log goes where it belongs with the next run.
  EXPECT_GT(std::filesystem::file_size(database() + "-wal"), 1U << 20);
  ASSERT_EQ(coord({"run", plan(10, "0s", mixing_stages(1)), "--quiet"}).exit_code, 0);
  EXPECT_EQ(std::filesystem::file_size(database() + "-wal"), 0U);
  EXPECT_EQ(reader.number("SELECT count(*) FROM items JOIN stages ON stages.id = stage WHERE run = 2"), 9 * items);
  expect_intact();
}

TEST_F(ProfileSystemTest, EightWritersLoseAndDoubleNoRow) {
  const std::string more = R"(, "profiler": {"rows_per_second": 1000000, "max_history": 1000000})";
  ASSERT_EQ(coord({"run", plan(30'000, "20us", mixing_stages(6), more), "--quiet"}).exit_code, 0);
  Sqlite sqlite(database());
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM row_cursors"), 8);
  EXPECT_EQ(sqlite.number("SELECT rows_lost FROM RunSummary"), 0);
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM stages WHERE rows <> 30000"), 0);
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM (SELECT stage FROM items GROUP BY stage HAVING count(*) = 30000 AND "
                          "count(DISTINCT sequence) = 30000)"),
            9);
  expect_intact();
}

TEST_F(ProfileSystemTest, AProfilerProcessThatIsKilledIsReplacedAndNothingIsCountedTwice) {
  const std::string bad =
      R"({"name": "Bad", "type": "test.crash", "params": {"how": "abort", "sequence": 2000, "every": 4000}})";
  PipelineRun run(plan_text(20'000, "100us", {bad}), folder_, {"--quiet"});
  ASSERT_TRUE(wait_until([&] { return run.workers().size() == 3; }));
  int kills = 0;
  for (int i = 0; i < 4; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(250 + 120 * i));
    const pid_t profiler_process = run.profiler_process();
    kills += profiler_process != 0 && ::kill(profiler_process, SIGKILL) == 0 ? 1 : 0;
  }
  ASSERT_EQ(run.wait(), 0) << run.errors();
  EXPECT_EQ(kills, 4);
  Sqlite sqlite(database());
  EXPECT_EQ(sqlite.value("SELECT outcome FROM runs"), "done");
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM runs"), 1);
  EXPECT_EQ(sqlite.number("SELECT items FROM stages WHERE key = 'MainPipeline__Bad'"), 20'000);
  EXPECT_EQ(
      sqlite.number("SELECT count(*) FROM stages WHERE items <> (SELECT sum(items) FROM windows "
                    "WHERE stage = stages.id) OR timed <> (SELECT sum(items) FROM histograms WHERE stage = stages.id)"),
      0);
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM events WHERE kind = 'crash'"), 5);
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM events WHERE kind = 'restart'"), 5);
  expect_intact();
}

TEST_F(ProfileSystemTest, ThePlanSaysHowMuchIsKept) {
  const std::string more =
      R"(, "profiler": {"rows_per_second": 100000, "max_history": 500, "keep_runs": 2, "keep_bytes": "64MiB"})";
  const std::string file = plan(4000, "20us", {R"({"name": "A", "type": "test.mix"})"}, more);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(coord({"run", file, "--quiet"}).exit_code, 0);
  }
  Sqlite sqlite(database());
  EXPECT_LE(sqlite.number("SELECT max(rows) FROM stages"), 500);
  EXPECT_GT(sqlite.number("SELECT min(rows) FROM stages"), 100);
  EXPECT_EQ(sqlite.value("SELECT group_concat(id) FROM runs"), "2,3");
  const ProgramRun wrong = coord({"validate", plan(1, "0s", {}, R"(, "profiler": {"keep_runs": 0})")});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("/profiler/keep_runs"), std::string::npos) << wrong.err;
}

/// Each is over before its profiler process has begun to look for old runs beside its work.
TEST_F(ProfileSystemTest, ShortRunsMakeRoomForEachOtherToo) {
  const std::string file =
      plan(10, "0s", {R"({"name": "A", "type": "test.mix"})"}, R"(, "profiler": {"keep_runs": 2})");
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(coord({"run", file, "--quiet"}).exit_code, 0);
  }
  Sqlite sqlite(database());
  EXPECT_EQ(sqlite.value("SELECT group_concat(id) FROM runs"), "3,4");
}

TEST_F(ProfileSystemTest, ADatabaseDeletedUnderTheRunIsMadeAnew) {
  PipelineRun run(plan_text(25'000, "100us", {R"({"name": "A", "type": "test.mix"})"}), folder_, {"--quiet"});
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(database()) && run.workers().size() == 3; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(1300));
  for (const char* end : {"", "-wal", "-shm"}) {
    std::filesystem::remove(database() + end);
  }
  ASSERT_EQ(run.wait(), 0) << run.errors();
  Sqlite sqlite(database());
  EXPECT_EQ(sqlite.number("SELECT items FROM stages WHERE key = 'MainPipeline__A'"), 25'000);
  EXPECT_GT(sqlite.number("SELECT count(*) FROM items"), 0);
  EXPECT_EQ(sqlite.value("SELECT outcome FROM runs"), "done");
  expect_intact();
}

TEST_F(ProfileSystemTest, AFullDiskDoesNotStopThePipelineAndTheLossIsCounted) {
  const std::string disk = folder_ / "disk";
  std::filesystem::create_directory(disk);
  if (run_program({"mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", disk}).exit_code != 0) {
    GTEST_SKIP() << "needs the right to mount a small tmpfs";
  }
  const std::string file = plan(60'000, "10us", {R"({"name": "A", "type": "test.mix"})"});
  const ProgramRun run =
      run_program({PYSTREAM_TEST_COORD, "run", file}, {.environment = {"PYSTREAM_PROFILES=" + disk}});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.err.find("profile rows wait"), std::string::npos) << run.err;
  EXPECT_NE(run.err.find("rows of single items are not in the profile database"), std::string::npos) << run.err;
  EXPECT_EQ(run_program({"mount", "-o", "remount,size=100m", disk}).exit_code, 0);
  {
    Sqlite sqlite(disk + "/last_profiles.sqlite");
    EXPECT_EQ(sqlite.value("PRAGMA integrity_check"), "ok");
  }
  EXPECT_EQ(run_program({"umount", disk}).exit_code, 0);
}

TEST_F(ProfileSystemTest, DeadLettersAreKeptAndThePipelineGoesOn) {
  const std::string stage =
      R"({"name": "Bad", "type": "test.crash", "params": {"how": "throw", "sequence": 5, "every": 10, "attempts": 99}})";
  ASSERT_EQ(coord({"run", plan(100, "0s", {stage}), "--quiet"}).exit_code, 3);
  Sqlite sqlite(database());
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM dead_letters WHERE stage = 'MainPipeline__Bad' AND size = 64"), 10);
  EXPECT_EQ(sqlite.number("SELECT errors FROM stages WHERE key = 'MainPipeline__Bad'"), 10);
  EXPECT_EQ(sqlite.number("SELECT items FROM stages WHERE key = 'MainPipeline__Sink'"), 90);
  const ProgramRun list = coord({"dead-letters", "list"});
  EXPECT_NE(list.out.find("told to throw at item 95"), std::string::npos) << list.out;
  EXPECT_EQ(coord({"dead-letters", "show", "1", "--bytes"}).out.size(), 64U);
}

TEST_F(ProfileSystemTest, DeadLettersAreKeptWithoutAProfileToo) {
  const std::string stage =
      R"({"name": "Bad", "type": "test.crash", "params": {"how": "throw", "sequence": 5, "every": 10, "attempts": 99}})";
  const std::string file = plan(100, "0s", {stage}, R"(, "profiler": {"enabled": false})");
  const ProgramRun run = coord({"run", file});
  ASSERT_EQ(run.exit_code, 3) << run.err;
  ASSERT_EQ(coord({"run", file}).exit_code, 3);
  Sqlite sqlite(database());
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM dead_letters WHERE stage = 'MainPipeline__Bad' AND size = 64"), 20);
  EXPECT_EQ(sqlite.number("SELECT count(DISTINCT run) FROM dead_letters"), 2);
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM stages"), 0) << "nothing else is recorded";
  EXPECT_NE(coord({"dead-letters", "list", "--run", "last"}).out.find("told to throw at item 95"), std::string::npos);
  EXPECT_EQ(coord({"profile"}).exit_code, 1);
  const ProgramRun good =
      coord({"run", plan(100, "0s", {R"({"name": "A", "type": "test.mix"})"}, R"(, "profiler": {"enabled": false})")});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(sqlite.number("SELECT count(*) FROM runs"), 2) << "a run without letters leaves nothing";
}

TEST_F(ProfileSystemTest, WhereNoLetterCanBeKeptThePipelineFailsAndSaysSo) {
  folder_.write("profiles", "a file where the folder should be");
  const std::string stage = R"({"name": "Bad", "type": "test.crash", "params": {"how": "throw", "attempts": 99}})";
  const ProgramRun run = coord({"run", plan(10, "0s", {stage}, R"(, "profiler": {"enabled": false})")});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("cannot become a dead letter"), std::string::npos) << run.err;
}

TEST_F(ProfileSystemTest, TheCoordinatorsDeathLeavesNoProfilerProcess) {
  PipelineRun run(plan_text(0, "100us", {R"({"name": "A", "type": "test.mix"})"}), folder_, {"--quiet"});
  ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(database()) && run.workers().size() == 3; }));
  ASSERT_NE(run.profiler_process(), 0);
  run.signal(SIGKILL);
  EXPECT_TRUE(wait_until([&] { return run.ended() && nothing_is_left(); }));
  Sqlite sqlite(database());
  EXPECT_EQ(sqlite.value("SELECT outcome FROM runs"), "lost");
  expect_intact();
}

}  // namespace
}  // namespace pystream::test
