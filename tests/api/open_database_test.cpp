#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include "api/api_support.hpp"
#include "support/temp_folder.hpp"

/// The user's program works with the profile database, or with SQLite in general, while pipelines start and run.
namespace pystream::test {
namespace {

constexpr int kItems = 200;

/// A connection of the user's to the profile database.
class Connection {
 public:
  explicit Connection(const std::filesystem::path& folder) {
    sqlite3* handle = nullptr;
    EXPECT_EQ(sqlite3_open((folder / "last_profiles.sqlite").c_str(), &handle), SQLITE_OK);
    handle_.reset(handle);
    sqlite3_busy_timeout(handle, 60'000);
  }
  void run(const std::string& sql) const {
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << sql << ": " << error;
    sqlite3_free(error);
  }
  std::string ask(const std::string& sql) const {
    std::string answer;
    const auto take = [](void* to, int, char** values, char**) {
      *static_cast<std::string*>(to) = values[0] != nullptr ? values[0] : "NULL";
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(handle_.get(), sql.c_str(), take, &answer, nullptr), SQLITE_OK)
        << sql << ": " << sqlite3_errmsg(handle_.get());
    return answer;
  }
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Closer {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  };
  std::unique_ptr<sqlite3, Closer> handle_;
};

int refuse_tens(int x) {
  if (x % 10 == 3) {
    throw std::runtime_error("no threes");
  }
  return x + 1;
}

class OpenDatabaseTest : public ::testing::Test {
 protected:
  OpenDatabaseTest() {
    Pipeline earlier(options());
    earlier.add([](int x) { return x; }, "Earlier").serialize();
    EXPECT_TRUE(earlier.forward(1));
    earlier.cleanup();
    Connection(folder_.path()).run("CREATE TABLE mine(x)");
  }
  PipelineOptions options() const { return {.use_profiler = true, .profiler_db_folder = folder_.path()}; }

  /// A whole pipeline: some items end as dead letters. `while_it_runs` is called once all items are through.
  void run_pipeline(const std::function<void()>& while_it_runs = [] {}) const {
    Pipeline sut(options());
    sut.add([](int x) { return x; }, "First").add(refuse_tens, "Choosy").add([](int x) { return x; }, "Last");
    ParallelOptions parallel = kAllResults;
    parallel.capacity.time = 0s;  // all items are to find room, though letters wait for the database
    sut.parallelize(parallel);
    for (int i = 0; i < kItems; ++i) {
      ASSERT_TRUE(sut.forward(i));
    }
    while_it_runs();
    EXPECT_EQ(read_all<int>(sut, kItems * 9 / 10).size(), static_cast<std::size_t>(kItems * 9 / 10));
    const auto began = std::chrono::steady_clock::now();
    sut.cleanup();
    EXPECT_LT(std::chrono::steady_clock::now() - began, kDeadline);
  }
  /// The profile of the last run is complete, and the database as good as new.
  void expect_complete(const Connection& user) const {
    const std::string last = "(SELECT max(id) FROM runs)";
    EXPECT_EQ(user.ask("SELECT outcome FROM runs WHERE id = " + last), "done");
    const std::string stage = "(SELECT id FROM stages WHERE run = " + last + " AND key = 'MainPipeline__First')";
    EXPECT_EQ(user.ask("SELECT items FROM stages WHERE id = " + stage), std::to_string(kItems));
    EXPECT_EQ(user.ask("SELECT count(*) FROM items WHERE stage = " + stage), std::to_string(kItems));
    EXPECT_EQ(user.ask("SELECT count(*) FROM dead_letters WHERE run = " + last), std::to_string(kItems / 10));
    user.run("INSERT INTO mine VALUES(7)");
    EXPECT_EQ(user.ask("SELECT count(*) FROM mine WHERE x = 7"), "1");
    EXPECT_EQ(user.ask("PRAGMA integrity_check"), "ok");
    EXPECT_EQ(Connection(folder_.path()).ask("SELECT count(*) FROM mine WHERE x = 7"), "1") << "for others too";
  }

  test::TempFolder folder_;
};

TEST_F(OpenDatabaseTest, AConnectionThatIsOpen) {
  const Connection user(folder_.path());
  EXPECT_EQ(user.ask("SELECT count(*) FROM runs"), "1");
  run_pipeline();
  expect_complete(user);
}

TEST_F(OpenDatabaseTest, ConnectionsToThisAndToOtherDatabases) {
  const Connection user(folder_.path());
  const Connection second(folder_.path());
  const test::TempFolder elsewhere;
  const Connection other(elsewhere.path());
  other.run("PRAGMA journal_mode=DELETE; CREATE TABLE mine(x); BEGIN EXCLUSIVE");
  second.run("INSERT INTO mine VALUES(1)");
  run_pipeline();
  other.run("INSERT INTO mine VALUES(2); COMMIT");
  EXPECT_EQ(other.ask("SELECT count(*) FROM mine"), "1");
  expect_complete(user);
  EXPECT_EQ(second.ask("SELECT count(*) FROM mine"), "2");
}

TEST_F(OpenDatabaseTest, AReadTransactionThatIsOpenAllTheTime) {
  const Connection user(folder_.path());
  user.run("BEGIN");
  EXPECT_EQ(user.ask("SELECT count(*) FROM runs"), "1");
  run_pipeline();
  EXPECT_EQ(user.ask("SELECT count(*) FROM runs"), "1") << "as it was when it began";
  user.run("COMMIT");
  expect_complete(user);
}

TEST_F(OpenDatabaseTest, AStatementThatIsHalfRead) {
  const Connection user(folder_.path());
  user.run("INSERT INTO mine VALUES(1), (2), (3)");
  sqlite3_stmt* statement = nullptr;
  ASSERT_EQ(sqlite3_prepare_v2(user.handle(), "SELECT x FROM mine", -1, &statement, nullptr), SQLITE_OK);
  ASSERT_EQ(sqlite3_step(statement), SQLITE_ROW);
  run_pipeline();
  EXPECT_EQ(sqlite3_step(statement), SQLITE_ROW);
  EXPECT_EQ(sqlite3_column_int(statement, 0), 2);
  sqlite3_finalize(statement);
  expect_complete(user);
}

TEST_F(OpenDatabaseTest, AWriteTransactionThatIsCommittedWhileThePipelineRuns) {
  const Connection user(folder_.path());
  user.run("BEGIN IMMEDIATE; INSERT INTO mine VALUES(1)");
  run_pipeline([&] { user.run("COMMIT"); });
  EXPECT_EQ(user.ask("SELECT count(*) FROM mine WHERE x = 1"), "1");
  expect_complete(user);
}

TEST_F(OpenDatabaseTest, AWriteTransactionThatIsOpenEvenAfterCleanup) {
  const Connection user(folder_.path());
  user.run("BEGIN IMMEDIATE; INSERT INTO mine VALUES(1)");
  Pipeline sut(options());
  sut.add([](int x) { return x; }, "First").parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(1));
  EXPECT_EQ(sut.get_results<int>(), 1);
  EXPECT_TRUE(contains(message_of<ProfilingError>([&] { sut.get_profiles(); }), "holds"));
  const auto began = std::chrono::steady_clock::now();
  sut.cleanup();
  EXPECT_LT(std::chrono::steady_clock::now() - began, 20s) << "it cannot wait for its own caller";
  user.run("COMMIT");
  EXPECT_EQ(user.ask("SELECT count(*) FROM mine WHERE x = 1"), "1");
  EXPECT_EQ(user.ask("PRAGMA integrity_check"), "ok");
}

TEST_F(OpenDatabaseTest, AnotherThreadThatWritesAllTheTime) {
  std::atomic<int> written = 0;
  std::jthread writer([&](const std::stop_token& stop) {
    const Connection mine(folder_.path());
    while (!stop.stop_requested()) {
      mine.run("INSERT INTO mine VALUES(" + std::to_string(written++) + " + 1000)");
      std::this_thread::sleep_for(1ms);
    }
  });
  ASSERT_TRUE(wait_until([&] { return written > 0; }));
  run_pipeline();
  writer.request_stop();
  writer.join();
  const Connection user(folder_.path());
  EXPECT_EQ(user.ask("SELECT count(*) FROM mine"), std::to_string(written));
  expect_complete(user);
}

TEST_F(OpenDatabaseTest, ASerialPipelineIsProfiledToo) {
  const Connection user(folder_.path());
  user.run("BEGIN");
  EXPECT_EQ(user.ask("SELECT count(*) FROM runs"), "1");
  Pipeline sut(options());
  sut.add([](int x) { return x; }, "First").serialize();
  for (int i = 0; i < kItems; ++i) {
    EXPECT_TRUE(sut.forward(i));
  }
  sut.cleanup();
  user.run("COMMIT");
  EXPECT_EQ(user.ask("SELECT outcome FROM runs ORDER BY id DESC LIMIT 1"), "done");
  EXPECT_EQ(user.ask("SELECT items FROM stages WHERE key = 'MainPipeline__First'"), std::to_string(kItems));
  EXPECT_EQ(user.ask("PRAGMA integrity_check"), "ok");
}

// Who has the database open?

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> all;
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
    std::ifstream list(thread.path() / "children");
    for (pid_t child = 0; list >> child;) {
      all.push_back(child);
      const std::vector<pid_t> below = children_of(child);
      all.insert(all.end(), below.begin(), below.end());
    }
  }
  return all;
}

std::string program_of(pid_t pid) {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe", error);
}

std::string role_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
  std::string word;
  std::getline(file, word, '\0');
  std::getline(file, word, '\0');
  return word;
}

bool has_open(pid_t pid, const std::filesystem::path& folder) {
  std::error_code error;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error)) {
    if (std::filesystem::read_symlink(fd.path(), error).string().starts_with(folder.string() + "/")) {
      return true;
    }
  }
  return false;
}

/// Roles of the processes below this one that have files of `folder` open; "forked" for copies of this one.
std::set<std::string> who_has_open(const std::filesystem::path& folder) {
  std::set<std::string> roles;
  for (const pid_t pid : children_of(::getpid())) {
    if (has_open(pid, folder)) {
      roles.insert(program_of(pid) == program_of(::getpid()) ? "forked" : role_of(pid));
    }
  }
  return roles;
}

class WhoOpensTheDatabaseTest : public ::testing::Test {
 protected:
  test::TempFolder folder_;
};

TEST_F(WhoOpensTheDatabaseTest, NoProcessThatWasForked) {
  Pipeline sut({.use_profiler = true, .profiler_db_folder = folder_.path()});
  sut.add(refuse_tens, "Choosy").add([](int x) { return x; }, "Last").parallelize(kAllResults);
  std::set<std::string> seen;
  const auto look = [&] { seen.merge(who_has_open(folder_.path())); };
  int number = 0;
  EXPECT_TRUE(wait_until([&] {
    EXPECT_TRUE(sut.forward(number));
    number += number % 10 == 3 ? 0 : 1;  // the last one is refused; again and again
    look();
    return seen.contains("profiler") && seen.contains("letters");
  }));
  sut.cleanup();
  EXPECT_EQ(seen, (std::set<std::string>{"profiler", "letters"}));
  EXPECT_EQ(who_has_open(folder_.path()), std::set<std::string>());
}

TEST_F(WhoOpensTheDatabaseTest, NoProcessThatWasForkedWithoutAProfile) {
  Pipeline sut({.profiler_db_folder = folder_.path()});
  sut.add(refuse_tens, "Choosy").parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(3));
  EXPECT_TRUE(sut.forward(4));
  EXPECT_EQ(sut.get_results<int>(), 5);
  EXPECT_EQ(who_has_open(folder_.path()), std::set<std::string>{"letters"});
  sut.cleanup();
  EXPECT_EQ(Connection(folder_.path()).ask("SELECT count(*) FROM dead_letters"), "1");
}

TEST_F(WhoOpensTheDatabaseTest, TheProfilerProcessOfASerialPipeline) {
  Pipeline sut({.use_profiler = true, .profiler_db_folder = folder_.path()});
  sut.add([](int x) { return x; }, "Only").serialize();
  std::set<std::string> seen;
  EXPECT_TRUE(wait_until([&] {
    EXPECT_TRUE(sut.forward(1));
    seen.merge(who_has_open(folder_.path()));
    return !seen.empty();
  }));
  EXPECT_EQ(seen, std::set<std::string>{"profiler"});
}

// Letters of forked workers.

class ForkedLettersTest : public WhoOpensTheDatabaseTest {
 protected:
  static pid_t keeper() {
    for (const pid_t pid : children_of(::getpid())) {
      if (role_of(pid) == "letters") {
        return pid;
      }
    }
    return 0;
  }
};

TEST_F(ForkedLettersTest, AProcessThatKeepsThemIsReplacedWhenItDies) {
  Pipeline sut({.profiler_db_folder = folder_.path()});
  sut.add(refuse_tens, "Choosy").parallelize(kAllResults);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(sut.forward(10 * i + 3));
    EXPECT_TRUE(sut.forward(i));
    EXPECT_EQ(sut.get_results<int>(), i + 1);
    const pid_t pid = keeper();
    ASSERT_NE(pid, 0);
    ::kill(pid, SIGKILL);
  }
  sut.cleanup();
  EXPECT_EQ(Connection(folder_.path()).ask("SELECT count(DISTINCT sequence) FROM dead_letters"), "3");
  EXPECT_EQ(Connection(folder_.path()).ask("SELECT count(*) FROM dead_letters"), "3");
}

TEST_F(ForkedLettersTest, LargeItemsStandInFilesOfTheirOwn) {
  Pipeline sut({.profiler_db_folder = folder_.path()});
  sut.add([](const std::string& text) -> std::string { throw std::runtime_error("no " + text.substr(0, 1)); });
  sut.parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(std::string(3 << 20, 'x')));
  EXPECT_TRUE(sut.forward(std::string("y")));
  EXPECT_TRUE(sut.drain(kDeadline));
  sut.cleanup();
  const Connection user(folder_.path());
  EXPECT_EQ(user.ask("SELECT count(*) FROM dead_letters"), "2");
  const std::string file = user.ask("SELECT file FROM dead_letters WHERE sequence = 0");
  EXPECT_GE(std::filesystem::file_size(folder_.path() / file), std::size_t{3} << 20);
  EXPECT_EQ(user.ask("SELECT reason FROM dead_letters WHERE sequence = 1"), "no y");
}

TEST_F(ForkedLettersTest, WithoutTheWorkerProgramThereAreNoneAndThePipelineSaysSo) {
  std::mutex mutex;
  std::string said;
  set_logger([&](LogLevel, std::string_view text) {
    const std::lock_guard lock(mutex);
    said += text;
  });
  ::setenv("PYSTREAM_WORKER", "/nowhere/pystream-worker", 1);
  Pipeline sut({.use_profiler = true, .profiler_db_folder = folder_.path()});
  sut.add(refuse_tens, "Choosy").parallelize(kAllResults);
  EXPECT_TRUE(sut.forward(4));
  EXPECT_EQ(sut.get_results<int>(), 5);
  EXPECT_TRUE(contains(message_of<ProfilingError>([&] { sut.get_profiles(); }), "worker program"));
  EXPECT_TRUE(sut.forward(13));
  EXPECT_TRUE(
      contains(message_of<PipelineTerminated>([&] { static_cast<void>(sut.get_results<int>()); }), "no threes"));
  sut.cleanup();
  ::unsetenv("PYSTREAM_WORKER");
  set_logger({});
  EXPECT_TRUE(contains(said, "no profile is written"));
  EXPECT_TRUE(contains(said, "/nowhere/pystream-worker"));
}

}  // namespace
}  // namespace pystream::test
