#include "cli/log_record.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/unique_fd.hpp"

namespace pystream::cli {
namespace {

using std::chrono::system_clock;

constexpr system_clock::time_point kTime{std::chrono::microseconds(1'795'955'500'012'345)};

TEST(LogRecordTest, IsAJsonObjectOnALine) {
  EXPECT_EQ(json_line({.message = "hello"}, "", kTime),
            "{\"time\":\"2026-11-29T12:31:40.012345Z\",\"level\":\"warning\",\"message\":\"hello\"}\n");
  EXPECT_EQ(
      json_line({.message = "m", .level = LogLevel::error, .stage = "MainPipeline__Row__First", .item = 7}, "p", kTime),
      "{\"time\":\"2026-11-29T12:31:40.012345Z\",\"level\":\"error\",\"pipeline\":\"p\",\"stage\":\"Row.First\","
      "\"item\":7,\"message\":\"m\"}\n");
  EXPECT_EQ(json_line({.message = "m", .level = LogLevel::info, .worker = "MainPipeline__Row"}, "p", kTime),
            "{\"time\":\"2026-11-29T12:31:40.012345Z\",\"level\":\"info\",\"pipeline\":\"p\",\"stage\":\"Row\","
            "\"message\":\"m\"}\n");
}

/// What a stage prints cannot end the object, or the line.
TEST(LogRecordTest, KeepsUntrustedTextInsideTheObject) {
  using namespace std::string_view_literals;
  const std::string line = json_line({.message = "a\"b\\c\n\r\0\x1b\xff\xc3\xa9"sv}, "\"}\n", kTime);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_NE(line.find(R"("pipeline":"\"}\u000a")"), std::string::npos) << line;
  EXPECT_NE(line.find("\"message\":\"a\\\"b\\\\c\\u000a\\u000d\\u0000\\u001b\xEF\xBF\xBD\xc3\xa9\"}"),
            std::string::npos)
      << line;
}

TEST(LogRecordTest, TellsTheJournalTheLevelOfEachLine) {
  EXPECT_EQ(journal_lines({.message = "one\n<0>two\n", .level = LogLevel::error}), "<3>one\n<3><0>two\n");
  EXPECT_EQ(journal_lines({.message = "<1>\x1b[31m", .level = LogLevel::info, .worker = "MainPipeline__A"}),
            "<6>[A] <1>\\x1b[31m\n");
  EXPECT_EQ(journal_lines({.message = ""}), "<4>\n");
}

TEST(LogRecordTest, KnowsTheJournalByDeviceAndInode) {
  const base::UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  struct stat info {};
  ASSERT_EQ(::fstat(null.get(), &info), 0);
  const std::string stream = std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
  EXPECT_TRUE(is_journal(null.get(), stream.c_str()));
  EXPECT_FALSE(is_journal(null.get(), (stream + "1").c_str()));
  EXPECT_FALSE(is_journal(null.get(), nullptr));
  EXPECT_FALSE(is_journal(-1, stream.c_str()));
}

}  // namespace
}  // namespace pystream::cli
