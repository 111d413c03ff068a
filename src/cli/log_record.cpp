#include "cli/log_record.hpp"

#include <spdlog/fmt/fmt.h>
#include <sys/stat.h>

#include <ctime>

#include "base/display_text.hpp"
#include "base/escaped_text.hpp"
#include "plan/stage_names.hpp"

namespace pystream::cli {
namespace {

std::string_view word_of(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return "error";
    case LogLevel::warning:
      return "warning";
    case LogLevel::info:
      return "info";
    default:
      return "debug";
  }
}

/// As syslog(3) numbers them.
int priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return 3;
    case LogLevel::warning:
      return 4;
    case LogLevel::info:
      return 6;
    default:
      return 7;
  }
}

/// "2026-11-30T12:31:40.012345Z".
std::string rfc3339(std::chrono::system_clock::time_point time) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = us / 1'000'000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, us % 1'000'000);
}

std::string stage_of(const LogRecord& record) {
  const std::string_view key = record.stage.empty() ? record.worker : record.stage;
  return key.empty() ? std::string() : plan::short_key(std::string(key));
}

}  // namespace

std::string json_line(const LogRecord& record, std::string_view pipeline, std::chrono::system_clock::time_point time) {
  std::string line = R"({"time":")" + rfc3339(time) + R"(","level":")" + std::string(word_of(record.level)) + '"';
  if (!pipeline.empty()) {
    line += R"(,"pipeline":)" + base::json_string(pipeline);
  }
  if (const std::string stage = stage_of(record); !stage.empty()) {
    line += R"(,"stage":)" + base::json_string(stage);
  }
  if (record.item) {
    line += R"(,"item":)" + std::to_string(*record.item);
  }
  return line + R"(,"message":)" + base::json_string(record.message) + "}\n";
}

std::string journal_lines(const LogRecord& record) {
  std::string prefix = fmt::format("<{}>", priority_of(record.level));
  if (!record.worker.empty()) {
    prefix += "[" + base::printable_line(plan::short_key(std::string(record.worker))) + "] ";
  }
  std::string lines;
  std::string_view rest = record.message;
  while (true) {
    const std::size_t end = rest.find('\n');
    lines += prefix + base::printable_line(rest.substr(0, end)) + "\n";
    if (end == std::string_view::npos || end + 1 == rest.size()) {
      return lines;
    }
    rest.remove_prefix(end + 1);
  }
}

bool is_journal(int fd, const char* journal_stream) {
  struct stat info {};
  return journal_stream != nullptr && ::fstat(fd, &info) == 0 &&
         journal_stream == fmt::format("{}:{}", info.st_dev, info.st_ino);
}

}  // namespace pystream::cli
