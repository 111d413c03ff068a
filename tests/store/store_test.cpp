#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "profile/home.hpp"
#include "report/summary_text.hpp"
#include "store/letters.hpp"
#include "store/past_runs.hpp"
#include "store/row_store.hpp"
#include "store/run_store.hpp"
#include "store/schema.hpp"
#include "store/stored_summary.hpp"
#include "store/windows.hpp"
#include "support/temp_folder.hpp"

namespace pystream::store {
namespace {

class StoreTest : public testing::Test {
 protected:
  /// Each describes a run of its own.
  profile::RunInfo info() {
    profile::RunInfo info;
    info.started = ++runs_;
    info.database = profile::database_in(folder_.path());
    info.name = "test";
    info.plan = "{}";
    info.topology.stages = {{.key = "MainPipeline__Source", .role = plan::Role::source, .worker = 0},
                            {.key = "MainPipeline__Sink", .role = plan::Role::sink, .worker = 1}};
    info.topology.workers = {
        {.name = "MainPipeline__Source", .segments = {{.stages = {0}, .outputs = {0}}}},
        {.name = "MainPipeline__Sink", .segments = {{.inputs = {0}, .stages = {1}, .outputs = {1}}}}};
    info.topology.links = {{.name = "Source -> Sink", .producer = {.worker = 0}, .consumers = {{.worker = 1}}},
                           {.name = "behind the sink", .producer = {.worker = 1}}};
    info.topology.pipeline_keys = {"MainPipeline"};
    return info;
  }
  /// With the sink in a pipeline inside the main one.
  profile::RunInfo with_child() {
    profile::RunInfo run = info();
    run.topology.stages[1].key = "MainPipeline__Child__Sink";
    run.topology.pipeline_keys.emplace_back("MainPipeline__Child");
    return run;
  }
  /// The same with nothing in front of that pipeline.
  profile::RunInfo with_first_child() {
    profile::RunInfo run = with_child();
    run.topology.workers[1].segments[0].inputs.clear();
    return run;
  }

  std::int64_t begin_run(profile::RunInfo of) {
    RunStore store(std::move(of));
    EXPECT_TRUE(store.lock().lock_within(1000));
    const StoreLock::Held held(store.lock());
    const std::int64_t run = store.begin();
    while (store.retire_a_bit()) {
    }
    return run;
  }
  std::int64_t begin_run() { return begin_run(info()); }
  void finish(std::int64_t run) {
    Database(profile::database_in(folder_.path()), Database::Mode::write)
        .execute("UPDATE runs SET outcome = 'done' WHERE id = " + std::to_string(run));
  }

  static shm::Row row(std::uint64_t n) {
    return {.sequence = n, .input = n, .start_ns = static_cast<std::int64_t>(10 * n), .stage_and_ns = 5};
  }
  std::int64_t count(const std::string& sql) {
    Database database(profile::database_in(folder_.path()), Database::Mode::read);
    return database.query_integer(sql).value_or(-1);
  }
  std::string refusal() {
    try {
      begin_run();
    } catch (const ProfilingError& error) {
      return error.what();
    }
    return {};
  }

  test::TempFolder folder_;
  double runs_ = 0;
};

TEST_F(StoreTest, RunsAreNumberedAndStand) {
  EXPECT_EQ(begin_run(), 1);
  EXPECT_EQ(begin_run(), 2);
  EXPECT_EQ(count("SELECT count(*) FROM stages"), 6);
  EXPECT_EQ(count("PRAGMA user_version"), kSchemaVersion);
}

TEST_F(StoreTest, EveryRowStandsOnceHoweverOftenItIsWritten) {
  const std::int64_t run = begin_run();
  const RowOrigin origin{.run = run};
  RowStore first(profile::database_in(folder_.path()), origin);
  ASSERT_EQ(first.write(0, 0, 250, row)->written, 250U);
  // A successor that does not know how far its predecessor came.
  RowStore second(profile::database_in(folder_.path()), origin);
  ASSERT_EQ(second.write(0, 0, 300, row)->written, 300U);
  EXPECT_EQ(count("SELECT count(*) FROM items"), 300);
  EXPECT_EQ(count("SELECT rows FROM stages WHERE key = 'MainPipeline__Source'"), 300);
  EXPECT_EQ(count("SELECT end_ns FROM items WHERE sequence = 299"), 2995);
}

TEST_F(StoreTest, BeyondTheHistoryEverySecondRowGoes) {
  const std::int64_t run = begin_run();
  RowStore sut(profile::database_in(folder_.path()), {.run = run, .max_history = 1000});
  const auto result = sut.write(0, 0, 5000, row);
  ASSERT_TRUE(result);
  EXPECT_GE(result->history_shift, 3U);
  const std::int64_t rows = count("SELECT count(*) FROM items");
  EXPECT_LE(rows, 1000);
  EXPECT_GT(rows, 300);
  EXPECT_EQ(count("SELECT rows FROM stages WHERE key = 'MainPipeline__Source'"), rows);
  EXPECT_EQ(count("SELECT 1 << sampled_shift FROM stages WHERE key = 'MainPipeline__Source'"),
            1 << result->history_shift);
}

TEST_F(StoreTest, TheMainPipelineIsTheLastOfItsWorkersKeys) {
  const std::int64_t run = begin_run();
  RowStore sut(profile::database_in(folder_.path()), {.run = run});
  const auto of_pipeline = [](std::uint64_t n) {
    shm::Row pipeline = row(n);
    pipeline.stage_and_ns |= std::uint64_t{1} << 48;
    return pipeline;
  };
  static_cast<void>(sut.write(1, 0, 1, of_pipeline));
  EXPECT_EQ(count("SELECT count(*) FROM ItemRows WHERE key = 'MainPipeline'"), 1);
}

TEST_F(StoreTest, ALockedStoreIsTriedAgainLater) {
  const std::int64_t run = begin_run();
  RowStore sut(profile::database_in(folder_.path()), {.run = run});
  StoreLock other(profile::database_in(folder_.path()));
  ASSERT_TRUE(other.try_lock());
  EXPECT_FALSE(sut.write(0, 0, 10, row));
  other.unlock();
  EXPECT_TRUE(sut.write(0, 0, 10, row));
}

TEST_F(StoreTest, ADeletedLockFileExcludesNobody) {
  StoreLock first(profile::database_in(folder_.path()));
  StoreLock second(profile::database_in(folder_.path()));
  ASSERT_TRUE(first.try_lock());
  std::filesystem::remove(folder_ / "last_profiles.sqlite.lock");
  StoreLock third(profile::database_in(folder_.path()));
  EXPECT_TRUE(third.try_lock());
  EXPECT_FALSE(second.try_lock()) << "its file has no name any more; it takes the new one";
  EXPECT_FALSE(second.try_lock());
  third.unlock();
  EXPECT_TRUE(second.try_lock());
}

TEST_F(StoreTest, RowsGoOnInANewDatabaseAfterTheOldOneWasDeleted) {
  RunStore store(info());
  ASSERT_TRUE(store.lock().lock_within(1000));
  const std::int64_t run = store.begin();
  store.lock().unlock();
  RowStore sut(profile::database_in(folder_.path()), {.run = run});
  ASSERT_TRUE(sut.write(0, 0, 10, row));
  for (const char* end : {"", "-wal", "-shm"}) {
    std::filesystem::remove(profile::database_in(folder_.path()).string() + end);
  }
  EXPECT_TRUE(store.has_moved());
  EXPECT_THROW(static_cast<void>(sut.write(0, 10, 20, row)), StoreError) << "only the profiler process makes it anew";
  ASSERT_TRUE(store.lock().lock_within(1000));
  EXPECT_EQ(store.begin(), run);
  store.lock().unlock();
  ASSERT_TRUE(sut.write(0, 10, 20, row));
  EXPECT_EQ(count("SELECT count(*) FROM items"), 10);
}

TEST_F(StoreTest, ANewerSchemaIsRefusedWithBothVersions) {
  begin_run();
  Database(profile::database_in(folder_.path()), Database::Mode::write).execute("PRAGMA user_version=99");
  EXPECT_NE(refusal().find("version 99"), std::string::npos) << refusal();
  EXPECT_THROW(open_for_reading(folder_.path()), ProfilingError);
}

TEST_F(StoreTest, AnOlderDatabaseIsBroughtUpToDateAndKeepsItsRuns) {
  begin_run();
  Database(profile::database_in(folder_.path()), Database::Mode::write)
      .execute(
          "DROP VIEW StageSummary; UPDATE stages SET timed = 2, timed_ns = 3000; "
          "ALTER TABLE link_windows DROP COLUMN fill; ALTER TABLE link_windows DROP COLUMN oldest_ns; "
          "PRAGMA user_version=1");
  {
    Database old = open_for_reading(folder_.path());
    EXPECT_EQ(read_summary(old, 1).run, 1) << "readers take it as it is";
  }
  EXPECT_EQ(begin_run(), 2);
  EXPECT_EQ(count("PRAGMA user_version"), kSchemaVersion);
  EXPECT_EQ(count("SELECT mean_s * 1e9 FROM StageSummary WHERE run = 1 AND key = 'MainPipeline'"), 1500)
      << "version 1 had no total time of pipelines";
  Database database = open_for_reading(folder_.path());
  EXPECT_DOUBLE_EQ(read_summary(database, 1).find("MainPipeline")->mean_s, 1500e-9);
}

TEST_F(StoreTest, AWindowThatIsWrittenTwiceHoldsBoth) {
  RunStore sut(info());
  ASSERT_TRUE(sut.lock().lock_within(1000));
  const StoreLock::Held held(sut.lock());
  sut.begin();
  const auto write = [&](std::uint64_t items, std::uint64_t ns, std::uint64_t total) {
    profile::Figures window{.items = items, .timed = items, .timed_ns = items * ns, .min_ns = ns, .max_ns = ns};
    window.histogram.resize(shm::kBuckets);
    window.histogram[shm::bucket_of(ns)] = items;
    profile::Figures all = window;
    all.items = total;
    sut.write_windows(3, shm::kWindowNs / 2, {{1, {.total = all, .window = window}}}, {});
  };
  write(2, 100, 2);
  write(5, 50, 7);
  EXPECT_EQ(count("SELECT items FROM windows WHERE window = 3"), 7);
  EXPECT_EQ(count("SELECT timed_ns FROM windows WHERE window = 3"), 450);
  EXPECT_EQ(count("SELECT span_ns FROM windows WHERE window = 3"), shm::kWindowNs);
  EXPECT_EQ(count("SELECT min_ns * 1000 + max_ns FROM windows WHERE window = 3"), 50'100);
  EXPECT_EQ(count("SELECT length(histogram) FROM windows WHERE window = 3"), 16);
}

TEST_F(StoreTest, AStageHasTheFillAndTheQueueOfTheLinkInFrontOfIt) {
  RunStore store(info());
  ASSERT_TRUE(store.lock().lock_within(1000));
  const std::int64_t run = store.begin();
  const profile::Figures sink{.items = 101, .first_end_ns = 1'000'000'000, .last_end_ns = 2'000'000'000};
  store.write_windows(0, shm::kWindowNs, {{2, {.total = sink, .window = sink}}},
                      {{.items = 60, .fill_items = 10, .fill = 0.5, .oldest_ns = 30'000'000}});
  store.write_windows(1, shm::kWindowNs, {}, {{.items = 41, .fill_items = 20, .fill = 1, .oldest_ns = 50'000'000}});
  store.lock().unlock();
  Database database = open_for_reading(folder_.path());
  const profile::RunSummary summary = read_summary(database, run);
  const profile::KeySummary* key = summary.find("MainPipeline__Sink");
  ASSERT_NE(key, nullptr);
  EXPECT_TRUE(key->has_link);
  EXPECT_DOUBLE_EQ(key->fill, 0.75);
  EXPECT_DOUBLE_EQ(key->queueing_s, 0.15) << "15 items, and 100 a second";
  EXPECT_DOUBLE_EQ(key->oldest_s, 0.05);
  EXPECT_FALSE(summary.find("MainPipeline__Source")->has_link);
}

/// From the end of the source, which stands in front of it, to the end of the sink.
TEST_F(StoreTest, APipelineInsideHasTheHistogramOfItsRecordedItemsAndTheMeanOfAll) {
  RunStore store(with_child());
  ASSERT_TRUE(store.lock().lock_within(1000));
  const std::int64_t run = store.begin();
  const profile::Figures figures{.items = 20, .total_ns = 2400};
  store.write_windows(0, shm::kWindowNs, {{2, {.total = figures, .window = figures}}}, {});
  store.lock().unlock();
  const auto later = [](std::uint64_t n) {
    shm::Row sink = row(n);
    sink.start_ns += 100;
    return sink;
  };
  ASSERT_TRUE(RowStore(profile::database_in(folder_.path()), {.run = run}).write(0, 0, 10, row));
  ASSERT_TRUE(RowStore(profile::database_in(folder_.path()), {.run = run}).write(1, 0, 10, later));
  Database database = open_for_reading(folder_.path());
  const std::vector<KeyWindows> keys = read_windows(database, run);
  ASSERT_EQ(keys.size(), 1U);
  ASSERT_EQ(keys[0].windows.size(), 1U);
  EXPECT_EQ(keys[0].windows[0].items, 20U);
  EXPECT_EQ(keys[0].windows[0].timed, 20) << "items that the ten stand for";
  EXPECT_EQ(keys[0].windows[0].timed_ns, 2000);
  const auto bucket = static_cast<std::uint32_t>(shm::bucket_of(100));
  EXPECT_EQ(keys[0].windows[0].histogram, (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{bucket, 20}}));
  const profile::KeySummary* child = nullptr;
  const profile::RunSummary summary = read_summary(database, run);
  ASSERT_NE(child = summary.find("MainPipeline__Child"), nullptr);
  EXPECT_DOUBLE_EQ(child->mean_s, 120e-9);
  EXPECT_DOUBLE_EQ(child->p50_s, 100e-9);
  EXPECT_EQ(child->samples, 10U);
  EXPECT_GT(child->rank_error, 0) << "of 20 items";
}

/// In the first second every item is recorded, in the next one of ten, and those take longer.
TEST_F(StoreTest, APipelineInsideWeighsItsRecordedItemsByTheItemsOfTheirWindow) {
  RunStore store(with_first_child());
  ASSERT_TRUE(store.lock().lock_within(1000));
  const std::int64_t run = store.begin();
  store.write_windows(0, shm::kWindowNs, {{2, {.total = {.items = 100}, .window = {.items = 100}}}}, {});
  store.write_windows(1, shm::kWindowNs, {{2, {.total = {.items = 900}, .window = {.items = 800}}}}, {});
  store.lock().unlock();
  const auto sink = [](std::uint64_t n) {
    return n < 100 ? shm::Row{.sequence = n, .input = n, .start_ns = 0, .stage_and_ns = 100}
                   : shm::Row{.sequence = n, .input = n, .start_ns = shm::kWindowNs, .stage_and_ns = 1000};
  };
  ASSERT_TRUE(RowStore(profile::database_in(folder_.path()), {.run = run}).write(1, 0, 180, sink));
  Database database = open_for_reading(folder_.path());
  const std::vector<KeyWindows> windows = read_windows(database, run);
  EXPECT_EQ(windows.at(0).windows.at(0).timed, 100);
  EXPECT_EQ(windows.at(0).windows.at(1).timed, 800);
  const profile::RunSummary summary = read_summary(database, run);
  const profile::KeySummary* child = summary.find("MainPipeline__Child");
  ASSERT_NE(child, nullptr);
  EXPECT_EQ(child->samples, 180U);
  EXPECT_NEAR(child->p50_s, 1e-6, 1e-6 / 32)
      << "more than half of what is recorded, but a ninth of the items, is faster";
  // 180 of 900 items, and such weights leave 900 * 900 / (100 + 80 * 100) = 100 of the 180.
  EXPECT_NEAR(child->rank_error, 1.96 * 0.5 * std::sqrt(0.8 / 100), 1e-9);
  EXPECT_NE(report::to_table(summary, {}).find("its p50 is right to 8.77 % of the items, its p99 to 1.74 %"),
            std::string::npos)
      << report::to_table(summary, {});
}

/// As a run begins: every item is recorded, and those wait for workers that still start; then one of ten.
TEST_F(StoreTest, APipelineInsideWeighsItsRecordedItemsByThoseUpToTheNext) {
  RunStore store(with_first_child());
  ASSERT_TRUE(store.lock().lock_within(1000));
  const std::int64_t run = store.begin();
  store.write_windows(0, shm::kWindowNs, {{2, {.total = {.items = 900}, .window = {.items = 900}}}}, {});
  store.lock().unlock();
  const auto sink = [](std::uint64_t n) {
    return n < 100 ? shm::Row{.sequence = n, .input = n, .start_ns = 0, .stage_and_ns = 1000}
                   : shm::Row{.sequence = 100 + 10 * (n - 100), .input = n, .start_ns = 0, .stage_and_ns = 100};
  };
  ASSERT_TRUE(RowStore(profile::database_in(folder_.path()), {.run = run}).write(1, 0, 180, sink));
  Database database = open_for_reading(folder_.path());
  const profile::RunSummary summary = read_summary(database, run);
  const profile::KeySummary* child = summary.find("MainPipeline__Child");
  ASSERT_NE(child, nullptr);
  EXPECT_EQ(child->samples, 180U);
  EXPECT_NEAR(child->p50_s, 100e-9, 100e-9 / 32) << "more than half of what is recorded, but a ninth of the items";
  EXPECT_NEAR(child->rank_error, 1.96 * 0.5 * std::sqrt(0.8 / 100), 1e-9);
}

TEST_F(StoreTest, ASuccessorTakesUpTheRunWithItsFigures) {
  const profile::RunInfo same = info();
  const std::int64_t run = begin_run(same);
  RunStore before(same);
  ASSERT_TRUE(before.lock().lock_within(1000));
  {
    const StoreLock::Held held(before.lock());
    EXPECT_EQ(before.begin(), run);
    profile::Figures figures{.items = 4, .timed = 4, .total_ns = 1000};
    figures.histogram.resize(shm::kBuckets);
    figures.histogram[shm::bucket_of(250)] = 4;
    before.write_windows(2, shm::kWindowNs, {{1, {.total = figures, .window = figures}}},
                         {{.total = {.items = 9, .dropped = 1}}});
    before.write_events({{.kind = "start", .worker = {}}, {.kind = "crash", .worker = {}}});
  }
  RunStore sut(same);
  ASSERT_TRUE(sut.lock().lock_within(1000));
  const StoreLock::Held held(sut.lock());
  EXPECT_EQ(sut.begin(), run);
  const RunStore::Written written = sut.read_written();
  EXPECT_EQ(written.keys.at(1).items, 4U);
  EXPECT_EQ(written.keys.at(1).total_ns, 1000U);
  EXPECT_EQ(written.keys.at(1).histogram[shm::bucket_of(250)], 4U);
  EXPECT_EQ(written.links.at(0).items, 9U);
  EXPECT_EQ(written.links.at(0).dropped, 1U);
  EXPECT_EQ(written.events, 2U);
  EXPECT_EQ(written.until_ns, 3 * shm::kWindowNs);
  EXPECT_EQ(count("SELECT count(*) FROM runs"), 1);
}

TEST_F(StoreTest, ARunWithoutAProfileStandsOnceItHasALetter) {
  const UnprofiledRun run{.name = "quiet", .coordinator_pid = 7, .started = 12.5};
  LetterStore sut(profile::database_in(folder_.path()));
  const auto number = sut.try_find_run(run);
  ASSERT_TRUE(number);
  EXPECT_EQ(LetterStore(profile::database_in(folder_.path())).try_find_run(run), number)
      << "other workers of the same run";
  ASSERT_TRUE(sut.try_store({.run = *number, .stage = "MainPipeline__A", .reason = "no"}, {}));
  EXPECT_EQ(count("SELECT count(*) FROM runs WHERE outcome = 'unprofiled' AND name = 'quiet'"), 1);
  Database database = open_for_reading(folder_.path());
  EXPECT_THROW(find_run(database, "last"), ProfilingError) << "it has no profile";
  EXPECT_EQ(find_run(database, "last", true), *number);
}

TEST_F(StoreTest, SomebodyElsesDatabaseIsRefused) {
  Database(profile::database_in(folder_.path()), Database::Mode::create).execute("CREATE TABLE theirs(x)");
  EXPECT_NE(refusal().find("no profile database"), std::string::npos);
}

TEST_F(StoreTest, OldRunsGo) {
  profile::RunInfo few = info();
  few.retention.runs = 3;
  for (int i = 0; i < 6; ++i) {
    few.started = i;
    RunStore store(few);
    ASSERT_TRUE(store.lock().lock_within(1000));
    store.begin();
    while (store.retire_a_bit()) {
    }
    store.end("done", "");
    store.lock().unlock();
  }
  EXPECT_EQ(count("SELECT count(*) FROM runs"), 3);
  EXPECT_EQ(count("SELECT min(id) FROM runs"), 4);
  EXPECT_EQ(count("SELECT count(*) FROM stages"), 9);
}

TEST_F(StoreTest, OldRunsGoUntilTheDatabaseIsSmallEnough) {
  for (int i = 0; i < 3; ++i) {
    const std::int64_t run = begin_run();
    static_cast<void>(RowStore(profile::database_in(folder_.path()), {.run = run}).write(0, 0, 20'000, row));
    finish(run);
  }
  const auto used = static_cast<std::uint64_t>(count("PRAGMA page_count") * count("PRAGMA page_size"));
  profile::RunInfo small = info();
  small.retention.bytes = used / 2;
  begin_run(small);
  // Half of three runs of one size: the oldest goes, and of the next its single items, which are by far the most.
  EXPECT_EQ(count("SELECT group_concat(id, '') FROM runs"), 234);
  EXPECT_EQ(count("SELECT count(*) FROM items"), 20'000);
  EXPECT_EQ(count("SELECT sum(rows) FROM stages WHERE run = 2"), 0);
  EXPECT_EQ(count("SELECT sum(rows) FROM stages WHERE run = 3"), 20'000);
}

TEST_F(StoreTest, NeitherRunsThatStillRunNorDeadLettersGo) {
  const std::int64_t running = begin_run();
  const std::int64_t ended = begin_run();
  finish(ended);
  static_cast<void>(
      LetterStore(profile::database_in(folder_.path())).try_store({.run = ended, .stage = "MainPipeline__Sink"}, {}));
  profile::RunInfo few = info();
  few.retention.runs = 1;
  const std::int64_t own = begin_run(few);
  EXPECT_EQ(count("SELECT count(*) FROM runs WHERE id = " + std::to_string(running)), 1);
  EXPECT_EQ(count("SELECT count(*) FROM runs WHERE id = " + std::to_string(own)), 1);
  EXPECT_EQ(count("SELECT count(*) FROM runs"), 2);
  EXPECT_EQ(count("SELECT count(*) FROM dead_letters"), 1) << "somebody has to deal with it";
}

TEST_F(StoreTest, LostRowsAreShown) {
  RunStore store(info());
  ASSERT_TRUE(store.lock().lock_within(1000));
  const std::int64_t run = store.begin();
  const profile::Figures figures{.items = 20, .rows_lost = 7};
  store.write_windows(0, shm::kWindowNs,
                      {{0, {.total = figures, .window = figures}}, {2, {.total = figures, .window = figures}}}, {});
  store.lock().unlock();
  EXPECT_EQ(count("SELECT rows_lost FROM RunSummary"), 7) << "of one worker, which has two keys";
  Database database = open_for_reading(folder_.path());
  const profile::RunSummary summary = read_summary(database, run);
  EXPECT_EQ(summary.find("MainPipeline__Sink")->rows_lost, 7U);
  EXPECT_NE(report::to_table(summary, {}).find("Lost rows of single items: 7 "), std::string::npos);
}

TEST_F(StoreTest, ARunWhoseCoordinatorIsGoneIsLost) {
  profile::RunInfo gone = info();
  gone.coordinator_pid = 0x3fffffff;  // beyond the largest process id
  begin_run(gone);
  begin_run();
  EXPECT_EQ(count("SELECT count(*) FROM runs WHERE outcome = 'lost'"), 1);
}

TEST_F(StoreTest, DeadLettersStandOnceWithTheirBytes) {
  const std::int64_t run = begin_run();
  LetterStore sut(profile::database_in(folder_.path()));
  const std::string small = "hello";
  const std::string large(3 << 20, 'x');
  const DeadLetter letter{
      .run = run, .stage = "MainPipeline__Sink", .sequence = 7, .input = 7, .attempts = 3, .reason = "no"};
  DeadLetter other = letter;
  other.input = 8;
  ASSERT_TRUE(sut.try_store(letter, std::as_bytes(std::span(small))));
  ASSERT_TRUE(sut.try_store(letter, std::as_bytes(std::span(small))));
  ASSERT_TRUE(sut.try_store(other, std::as_bytes(std::span(large))));
  Database database = open_for_reading(folder_.path());
  const auto letters = list_letters(database, run);
  ASSERT_EQ(letters.size(), 2U);
  EXPECT_EQ(letters[0].reason, "no");
  EXPECT_EQ(read_letter_bytes(database, letters[0].id), small);
  EXPECT_EQ(read_letter_bytes(database, letters[1].id), large);
  EXPECT_EQ(read_letter_bytes(database, letters[0].id, 2), "he");
  EXPECT_EQ(read_letter_bytes(database, letters[1].id, 2), "xx");
  EXPECT_EQ(list_letters(database, run, 1).at(0).id, letters[1].id) << "the newest";
  EXPECT_EQ(count_letters(database).at("test"), 2U);
  EXPECT_EQ(read_plan(database, run), "{}");
  EXPECT_FALSE(letters[1].file.empty());
  EXPECT_TRUE(list_letters(database, run + 1).empty());
  EXPECT_THROW(read_letter(database, 99), ProfilingError);
}

}  // namespace
}  // namespace pystream::store
