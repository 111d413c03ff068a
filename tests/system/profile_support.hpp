#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

namespace pystream::tests {

/// A connection of this test's own, with nothing of the library's in between.
class Sqlite {
 public:
  explicit Sqlite(const std::string& path) {
    sqlite3* handle = nullptr;
    EXPECT_EQ(sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE, nullptr), SQLITE_OK) << path;
    handle_.reset(handle);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_busy_timeout(handle, 5000);
    run("PRAGMA wal_autocheckpoint=0");
  }
  void run(const std::string& sql) {
    EXPECT_EQ(sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sql << ": " << sqlite3_errmsg(handle_.get());
  }
  std::vector<std::vector<std::string>> rows(const std::string& sql) {
    std::vector<std::vector<std::string>> result;
    const auto add = [](void* to, int columns, char** values, char**) {
      std::vector<std::string> row;
      for (int i = 0; i < columns; ++i) {
        row.emplace_back(values[i] != nullptr ? values[i] : "");
      }
      static_cast<std::vector<std::vector<std::string>>*>(to)->push_back(std::move(row));
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(handle_.get(), sql.c_str(), add, &result, nullptr), SQLITE_OK)
        << sql << ": " << sqlite3_errmsg(handle_.get());
    return result;
  }
  std::string value(const std::string& sql) {
    const auto all = rows(sql);
    return all.empty() || all[0].empty() ? std::string() : all[0][0];
  }
  long number(const std::string& sql) { return std::stol("0" + value(sql)); }
  std::vector<std::string> columns(const std::string& table) {
    std::vector<std::string> names;
    for (const auto& row : rows("SELECT name FROM pragma_table_info('" + table + "')")) {
      names.push_back(row[0]);
    }
    return names;
  }

 private:
  struct Closer {
    void operator()(sqlite3* handle) const { sqlite3_close(handle); }
  };
  std::unique_ptr<sqlite3, Closer> handle_;
};

/// A pystream-coord that runs beside the test.
class RunningCoord {
 public:
  RunningCoord(std::vector<std::string> arguments, const std::string& profiles, const std::string& log)
      : pid_(::fork()) {
    if (pid_ == 0) {
      ::setenv("PYSTREAM_PROFILES", profiles.c_str(), 1);
      const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      ::dup2(fd, STDERR_FILENO);
      ::dup2(fd, STDOUT_FILENO);
      arguments.insert(arguments.begin(), PYSTREAM_TEST_COORD);
      std::vector<char*> words;
      for (std::string& argument : arguments) {
        words.push_back(argument.data());
      }
      words.push_back(nullptr);
      ::execv(words[0], words.data());
      ::_exit(127);
    }
  }
  ~RunningCoord() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }
  RunningCoord(const RunningCoord&) = delete;
  RunningCoord& operator=(const RunningCoord&) = delete;
  pid_t pid() const { return pid_; }
  bool ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
  }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  /// Process ids of all its children; cheaper than workers().
  std::vector<pid_t> children() const {
    std::ifstream list("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) + "/children");
    return {std::istream_iterator<pid_t>(list), {}};
  }
  /// Process ids of its children that are workers.
  std::vector<pid_t> workers() const {
    const ProgramRun ps = run_program({"pgrep", "-P", std::to_string(pid_), "-f", "pystream-worker work"});
    std::vector<pid_t> pids;
    std::size_t at = 0;
    while (at < ps.out.size()) {
      const std::size_t end = ps.out.find('\n', at);
      pids.push_back(static_cast<pid_t>(std::stol(ps.out.substr(at, end - at))));
      at = end + 1;
    }
    return pids;
  }

 private:
  pid_t pid_;
};

/// True once `holds` does, within a generous time.
inline bool eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

class ProfileSystemTest : public testing::Test {
 protected:
  std::string profiles() const { return folder_.file("profiles"); }
  std::string database() const { return profiles() + "/last_profiles.sqlite"; }
  ProgramRun coord(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), PYSTREAM_TEST_COORD);
    return run_program(arguments,
                       {.environment = {"PYSTREAM_PROFILES=" + profiles(), "PYSTREAM_WORKER", "PYSTREAM_PLUGIN_PATH"}});
  }
  /// A flat pipeline: source, stages, sink.
  std::string plan(long items, const std::string& period, const std::vector<std::string>& stages,
                   const std::string& more = "") const {
    std::string text =
        R"({"plugins": ["libpystream_testing.so"], "source": {"type": "generate", "params": {"count": )" +
        std::to_string(items) + R"(, "period": ")" + period + R"("}}, "stages": [)";
    for (const std::string& stage : stages) {
      text += &stage == stages.data() ? stage : ", " + stage;
    }
    return folder_.write("plan.json", text + R"(], "sink": {"type": "discard"})" + more + "}");
  }
  void expect_intact() {
    Sqlite sqlite(database());
    EXPECT_EQ(sqlite.value("PRAGMA integrity_check"), "ok");
  }

  TempFolder folder_;
};

}  // namespace pystream::tests
