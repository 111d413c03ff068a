#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <memory>
#include <string>
#include <vector>

#include "support/pipeline_run.hpp"
#include "support/run_program.hpp"
#include "support/temp_folder.hpp"

namespace pystream::test {

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

class ProfileSystemTest : public testing::Test {
 protected:
  std::string profiles() const { return folder_ / "profiles"; }
  std::string database() const { return profiles() + "/last_profiles.sqlite"; }
  ProgramRun coord(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), PYSTREAM_TEST_COORD);
    return run_program(arguments,
                       {.environment = {"PYSTREAM_PROFILES=" + profiles(), "PYSTREAM_WORKER", "PYSTREAM_PLUGIN_PATH"}});
  }
  /// A flat pipeline: source, stages, sink.
  static std::string plan_text(long items, const std::string& period, const std::vector<std::string>& stages,
                               const std::string& more = "") {
    std::string text =
        R"({"plugins": ["libpystream_testing.so"], "source": {"type": "generate", "params": {"count": )" +
        std::to_string(items) + R"(, "period": ")" + period + R"("}}, "stages": [)";
    for (const std::string& stage : stages) {
      text += &stage == stages.data() ? stage : ", " + stage;
    }
    return text + R"(], "sink": {"type": "discard"})" + more + "}";
  }
  /// A file with that plan.
  std::string plan(long items, const std::string& period, const std::vector<std::string>& stages,
                   const std::string& more = "") const {
    return folder_.write("plan.json", plan_text(items, period, stages, more));
  }
  void expect_intact() {
    Sqlite sqlite(database());
    EXPECT_EQ(sqlite.value("PRAGMA integrity_check"), "ok");
  }

  TempFolder folder_;
};

}  // namespace pystream::test
