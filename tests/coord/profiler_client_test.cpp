#include "coord/profiler_client.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>

#include "base/clock.hpp"
#include "profile/home.hpp"
#include "store/run_store.hpp"
#include "support/temp_folder.hpp"

/// What the coordinator does with its profiler process.
namespace pystream::coord::test {
namespace {

constexpr std::int64_t kPatienceNs = 60'000'000'000;
constexpr int kPatienceMs = 60'000;

class ProfilerClientTest : public testing::Test {
 protected:
  ProfilerClientTest() {
    info_.database = profile::database_in(folder_.path());
    info_.name = "test";
    info_.plan = "{}";
    info_.coordinator_pid = static_cast<std::uint64_t>(::getpid());
    info_.started = 1;
    info_.topology.stages = {{.key = "MainPipeline__A"}};
    info_.topology.workers = {{.name = "MainPipeline__A", .segments = {{.stages = {0}, .outputs = {0}}}},
                              {.name = "Exit", .external = true, .segments = {{.inputs = {0}}}}};
    info_.topology.links = {{.name = "A -> Exit", .producer = {.worker = 0}, .consumers = {{.worker = 1}}}};
  }

  static shm::Segment make_segment() {
    shm::SegmentSpec spec;
    spec.workers = {{.stages = 1, .segments = 1, .tracks_pipeline = true, .rows = 64}, {}};
    spec.links = {{.producer = 0, .consumers = {1}, .ring_bytes = 4096, .item_limit = 4096}};
    return shm::Segment::create(spec);
  }
  std::unique_ptr<ProfilerClient> start() {
    return ProfilerClient::spawn(PYSTREAM_TEST_WORKER, segment_, info_,
                                 [this](const std::string& text) { warnings_ += text + "\n"; });
  }
  /// True if `work` does not throw in a process of its own, and gives true there.
  static bool elsewhere(const std::function<bool()>& work) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      bool good = false;
      try {
        good = work();
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
      }
      ::_exit(good ? 0 : 1);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return status == 0;
  }
  bool database_says(const std::string& sql, std::int64_t expected) const {
    return elsewhere([&] {
      store::Database database(info_.database, store::Database::Mode::read);
      const auto found = database.query_integer(sql);
      std::fprintf(stderr, "%s: %ld\n", sql.c_str(), static_cast<long>(found.value_or(-1)));
      return found == expected;
    });
  }
  static pid_t child() {
    const std::string self = std::to_string(::getpid());
    std::ifstream list("/proc/" + self + "/task/" + self + "/children");
    pid_t pid = 0;
    list >> pid;
    return pid;
  }

  pystream::test::TempFolder folder_;
  profile::RunInfo info_;
  shm::Segment segment_ = make_segment();
  std::string warnings_;
};

TEST_F(ProfilerClientTest, EventsThatADeadProfilerProcessHasWrittenAreNotWrittenAgain) {
  ASSERT_TRUE(elsewhere([&] {  // it died before it could say so
    store::RunStore store(info_);
    store.begin();
    store.write_events({{.kind = "start", .worker = "A"}, {.kind = "crash", .worker = "A"}});
    return true;
  }));
  const auto sut = start();
  for (const char* kind : {"start", "crash", "restart"}) {
    sut->event({.kind = kind, .worker = "A"});
  }
  sut->end("done", {}, {0, 0}, kPatienceMs);
  EXPECT_EQ(warnings_, "");
  EXPECT_TRUE(database_says("SELECT count(*) FROM events", 3));
  EXPECT_TRUE(database_says("SELECT count(*) FROM events WHERE kind = 'restart'", 1));
  EXPECT_TRUE(database_says("SELECT count(*) FROM runs WHERE outcome = 'done'", 1));
}

TEST_F(ProfilerClientTest, OneThatDiesIsReplaced) {
  const auto sut = start();
  sut->event({.kind = "start", .worker = "A"});
  ::kill(child(), SIGKILL);
  sut->end("done", {}, {0, 0}, kPatienceMs);
  EXPECT_EQ(warnings_, "");
  EXPECT_TRUE(database_says("SELECT count(*) FROM events", 1));
  EXPECT_TRUE(database_says("SELECT count(*) FROM runs WHERE outcome = 'done'", 1));
}

TEST_F(ProfilerClientTest, TooManyQuickDeathsEndTheProfileAndNothingElse) {
  const auto sut = start();
  const std::int64_t until = base::now_ns() + kPatienceNs;
  while (warnings_.empty() && base::now_ns() < until) {
    if (const pid_t profiler_process = child(); profiler_process != 0) {
      ::kill(profiler_process, SIGKILL);
    }
    sut->profiles(10);  // hears of the death; a successor that was quick may even answer
  }
  EXPECT_EQ(warnings_, "no profile is written: the profiler process died 6 times\n");
  EXPECT_NE(segment_.map_supervisor().config->run.load(), shm::kRunNotYet) << "so that no worker waits for it";
  EXPECT_EQ(child(), 0);
}

}  // namespace
}  // namespace pystream::coord::test
