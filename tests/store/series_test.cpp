#include "store/series.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "profile/home.hpp"
#include "store/run_store.hpp"
#include "store/schema.hpp"
#include "store/stored_summary.hpp"
#include "support/temp_folder.hpp"

namespace pystream::store {
namespace {

/// A run of two stages whose windows are written one after another, as the profiler process does it.
class SeriesTest : public testing::Test {
 protected:
  SeriesTest() : store_(info()) {
    EXPECT_TRUE(store_.lock().lock_within(1000));
    store_.begin();
  }
  profile::RunInfo info() const {
    profile::RunInfo info;
    info.started = 1;
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
  /// Window n: n items of the first key, each of which took a microsecond, and n items in the link. `commit`: false if
  /// it is rolled back, as by a full disk.
  void write_window(std::uint64_t n, bool idle = false, bool commit = true) {
    RunStore::KeyWindow key;
    key.window.items = n;
    key.window.total_ns = 1'000 * n;
    key.window.max_ns = n;
    key.window.working_ns = 400;
    key.window.histogram.resize(shm::kBuckets);
    key.total = key.window;
    std::map<std::size_t, RunStore::KeyWindow> keys;
    if (!idle) {
      keys[0] = key;
    }
    Transaction transaction(store_.database());
    store_.write_windows(
        n, shm::kWindowNs, keys,
        {{.items = n, .fill_items = static_cast<double>(n), .fill = 0.5, .oldest_ns = static_cast<std::int64_t>(n)}});
    if (commit) {
      transaction.commit();
    }
  }
  void write_windows(std::uint64_t first, std::uint64_t behind) {
    for (std::uint64_t n = first; n < behind; ++n) {
      write_window(n);
    }
  }
  Series read(double from_s, double to_s, std::size_t points) {
    Database database = open_for_reading(folder_.path());
    return read_series(database, 1, from_s, to_s, points);
  }
  std::int64_t count(const std::string& sql) {
    Database database(profile::database_in(folder_.path()), Database::Mode::read);
    return database.query_integer(sql).value_or(-1);
  }
  static std::uint64_t items_of(const std::vector<SeriesPoint>& points) {
    return std::accumulate(points.begin(), points.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const SeriesPoint& point) { return sum + point.items; });
  }

  test::TempFolder folder_;
  RunStore store_;
};

TEST_F(SeriesTest, AShortTimeHasAPointForEachWindow) {
  write_windows(0, 5);
  const Series sut = read(1, 4, 100);
  EXPECT_DOUBLE_EQ(sut.step_s, 1);
  ASSERT_EQ(sut.keys.size(), 3U) << "the main pipeline and two stages";
  ASSERT_EQ(sut.keys[0].points.size(), 3U);
  const SeriesPoint& point = sut.keys[0].points[1];
  EXPECT_DOUBLE_EQ(point.begin_s, 2);
  EXPECT_DOUBLE_EQ(point.span_s, 1);
  EXPECT_EQ(point.items, 2U);
  EXPECT_DOUBLE_EQ(point.busy_s, 2e-6);
  EXPECT_DOUBLE_EQ(point.working_s, 400e-9);
  ASSERT_EQ(sut.links.size(), 1U);
  EXPECT_DOUBLE_EQ(sut.links[0].points[1].inside, 2);
  EXPECT_DOUBLE_EQ(sut.links[0].points[1].fill, 0.5);
}

TEST_F(SeriesTest, ALongTimeIsReadFromMinutesAndTheLastWindows) {
  write_windows(0, 310);
  EXPECT_EQ(count("SELECT count(*) FROM minutes"), 5);
  EXPECT_EQ(count("SELECT count(*) FROM link_minutes"), 5);
  const Series from_minutes = read(0, 0, 3);
  EXPECT_DOUBLE_EQ(from_minutes.step_s, 120);
  ASSERT_EQ(from_minutes.keys[0].points.size(), 3U);
  EXPECT_EQ(items_of(from_minutes.keys[0].points), 310U * 309 / 2);
  EXPECT_DOUBLE_EQ(from_minutes.keys[0].points[2].span_s, 70) << "a minute, and ten windows of the next";
  EXPECT_DOUBLE_EQ(from_minutes.keys[0].points[2].max_s, 309e-9);
  EXPECT_DOUBLE_EQ(from_minutes.links[0].points[0].inside, 59.5);
  Database(profile::database_in(folder_.path()), Database::Mode::write)
      .execute("DELETE FROM minutes; DELETE FROM link_minutes");
  const Series from_windows = read(0, 0, 3);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(from_windows.keys[0].points[i].items, from_minutes.keys[0].points[i].items);
    EXPECT_DOUBLE_EQ(from_windows.keys[0].points[i].span_s, from_minutes.keys[0].points[i].span_s);
    EXPECT_DOUBLE_EQ(from_windows.keys[0].points[i].busy_s, from_minutes.keys[0].points[i].busy_s);
    EXPECT_EQ(from_windows.links[0].points[i].items, from_minutes.links[0].points[i].items);
  }
}

TEST_F(SeriesTest, ATimeThatEndsWithinAMinuteHoldsAllOfIt) {
  write_windows(0, 310);
  EXPECT_EQ(items_of(read(0, 150, 2).keys[0].points), 150U * 149 / 2);
  EXPECT_EQ(items_of(read(120, 190, 1).keys[0].points), (190U * 189 - 120U * 119) / 2);
}

TEST_F(SeriesTest, MinutesThatWereRolledBackAreMadeLater) {
  write_windows(0, 60);
  write_window(60, false, false);  // begins a minute, and is lost
  EXPECT_EQ(count("SELECT count(*) FROM minutes"), 0);
  write_windows(61, 121);
  EXPECT_EQ(count("SELECT count(*) FROM minutes"), 2);
  EXPECT_EQ(count("SELECT items FROM minutes ORDER BY minute LIMIT 1"), 60 * 59 / 2);
}

TEST_F(SeriesTest, IdleMinutesArePutTogetherOnce) {
  for (std::uint64_t n = 0; n < 190; ++n) {
    write_window(n, true);
  }
  EXPECT_EQ(count("SELECT count(*) FROM minutes"), 0);
  Database database = open_for_reading(folder_.path());
  EXPECT_EQ(rolled_up_until(database, 1), 3);
}

TEST_F(SeriesTest, ADatabaseWithoutMinutesIsReadFromItsWindows) {
  write_windows(0, 130);
  Database(profile::database_in(folder_.path()), Database::Mode::write)
      .execute("DROP TABLE minutes; DROP TABLE link_minutes; PRAGMA user_version=3");
  EXPECT_EQ(items_of(read(0, 0, 1).keys[0].points), 130U * 129 / 2);
  Database old = open_for_reading(folder_.path());
  EXPECT_DOUBLE_EQ(read_summary(old, 1).find("MainPipeline__Sink")->fill, 0.5);
}

TEST_F(SeriesTest, TheSummaryIsTheSameWithMinutes) {
  write_windows(0, 130);
  const auto fill_and_age = [&] {
    Database database = open_for_reading(folder_.path());
    const profile::RunSummary summary = read_summary(database, 1);
    return std::pair(summary.find("MainPipeline__Sink")->fill, summary.find("MainPipeline__Sink")->oldest_s);
  };
  const auto with = fill_and_age();
  EXPECT_DOUBLE_EQ(with.first, 0.5);
  EXPECT_DOUBLE_EQ(with.second, 129e-9);
  Database(profile::database_in(folder_.path()), Database::Mode::write).execute("DELETE FROM link_minutes");
  EXPECT_EQ(fill_and_age(), with);
}

TEST_F(SeriesTest, OddQuestionsHaveAnswers) {
  EXPECT_TRUE(read(0, 0, 10).keys.empty()) << "nothing is recorded yet";
  write_windows(0, 3);
  EXPECT_EQ(read(1e18, 1, 10).keys.size(), 3U);
  EXPECT_EQ(read(-5, 1e18, 0).keys.size(), 3U);
  EXPECT_EQ(items_of(read(0, 0, 1).keys[0].points), 3U);
}

TEST_F(SeriesTest, MinutesGoWithTheirRun) {
  write_windows(0, 61);
  Transaction transaction(store_.database());
  delete_run(store_.database(), 1);
  transaction.commit();
  EXPECT_EQ(count("SELECT count(*) FROM minutes") + count("SELECT count(*) FROM link_minutes"), 0);
}

}  // namespace
}  // namespace pystream::store
