#include "store/profiler_process.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <thread>

#include "profile/home.hpp"
#include "profile/recorder.hpp"
#include "shm/ring_writer.hpp"
#include "store/database.hpp"
#include "support/temp_folder.hpp"

namespace pystream::store {
namespace {

constexpr std::uint64_t kItems = 3;

std::pair<base::UniqueFd, base::UniqueFd> sockets() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

/// A worker with one stage, and this process behind it.
shm::Segment make_segment() {
  shm::SegmentSpec spec;
  spec.workers = {{.stages = 1, .segments = 1, .tracks_pipeline = true, .rows = 64}, {}};
  spec.links = {{.producer = 0, .consumers = {1}, .ring_bytes = 4096, .item_limit = 4096}};
  return shm::Segment::create(spec);
}

profile::RunInfo info(const std::filesystem::path& folder) {
  profile::RunInfo info;
  info.database = profile::database_in(folder);
  info.name = "test";
  info.plan = "{}";
  info.started = 1;
  info.topology.stages = {{.key = "MainPipeline__A"}};
  info.topology.workers = {{.name = "MainPipeline__A", .segments = {{.stages = {0}, .outputs = {0}}}},
                           {.name = "Exit", .external = true, .segments = {{.inputs = {0}}}}};
  info.topology.links = {{.name = "A -> Exit", .producer = {.worker = 0}, .consumers = {{.worker = 1}}}};
  return info;
}

/// The worker works on some items, and dies behind the commit, or before it.
void work_and_die(const shm::Segment& segment, bool committed) {
  const shm::WorkerEnd end = segment.map_worker(0);
  profile::RowQueue rows(end.profile, true, 1'000'000);
  profile::Recorder recorder(end.profile.segments[0], end.stats, 0, 1, rows);
  shm::RingWriter ring(segment.map_producer(0));
  for (std::uint64_t i = 0; i < kItems; ++i) {
    recorder.add_items(0, 1);
    recorder.sample(0, i, i, 1'000, 100, 1);
    ASSERT_NE(ring.try_reserve(8), nullptr);
    ring.finish(8, {.sequence = i});
  }
  recorder.prepare(kItems);
  if (committed) {
    ring.commit({.inputs_done = kItems});
  }
}

/// A profiler process's whole life, in a thread.
void keep_books(const shm::Segment& segment, const profile::RunInfo& run) {
  auto [mine, its] = sockets();
  std::thread profiler_process([&segment, its = std::move(its)]() mutable {
    EXPECT_EQ(ProfilerProcess(profile::Channel(std::move(its)), segment).run(), 0);
  });
  profile::Channel channel(std::move(mine));
  channel.send(profile::MessageType::begin, base::encode(run));
  channel.send(profile::MessageType::go, {});
  channel.send(profile::MessageType::end,
               base::Encoder().put("done").put("").put(std::vector<std::uint32_t>()).bytes());
  profiler_process.join();
}

TEST(ProfilerProcessTest, CountsWhatADeadWorkerHadCommittedAndWritesItsRows) {
  const test::TempFolder folder;
  const shm::Segment segment = make_segment();
  work_and_die(segment, true);
  const profile::RunInfo run = info(folder.path());
  keep_books(segment, run);
  Database database(run.database, Database::Mode::read);
  EXPECT_EQ(database.query_integer("SELECT items FROM stages WHERE role = 'stage'"), kItems);
  EXPECT_EQ(database.query_integer("SELECT sum(items) FROM histograms"), kItems);
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM items"), kItems);
  EXPECT_EQ(database.query_integer("SELECT sum(rows_lost) FROM stages"), 0);
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM runs WHERE outcome = 'done'"), 1);
}

TEST(ProfilerProcessTest, CountsNothingThatADeadWorkerHadNotCommitted) {
  const test::TempFolder folder;
  const shm::Segment segment = make_segment();
  work_and_die(segment, false);
  const profile::RunInfo run = info(folder.path());
  keep_books(segment, run);
  Database database(run.database, Database::Mode::read);
  EXPECT_EQ(database.query_integer("SELECT items FROM stages WHERE role = 'stage'"), 0);
  EXPECT_EQ(database.query_integer("SELECT count(*) FROM items"), 0);
}

}  // namespace
}  // namespace pystream::store
