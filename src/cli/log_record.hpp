#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <pystream/log.hpp>
#include <string>
#include <string_view>

/// How lines of standard error are written, for people and for programs that collect them.
namespace pystream::cli {

enum class LogFormat {
  text,     ///< for people
  json,     ///< an object on each line
  journal,  ///< the lines of `text`, each behind its level as journald reads it: <3>, <4>, <6>
};

/// Something to say. Its message may be untrusted: of any bytes, with line ends in it.
struct LogRecord {
  std::string_view message;
  LogLevel level = LogLevel::warning;
  std::string_view worker{};  ///< that wrote the message on its standard error; empty: this program's own word
  std::string_view stage{};   ///< profile key of the stage that it is about; empty: `worker`, if that is known
  std::optional<std::uint64_t> item{};  ///< sequence number of the item that it is about
};

/// The record as one JSON object and a line end: time (RFC 3339, UTC), level, pipeline (unless empty), stage and item
/// where they are known, message. Bytes that are not UTF-8 become U+FFFD.
std::string json_line(const LogRecord& record, std::string_view pipeline, std::chrono::system_clock::time_point time);

/// The record for journald, which knows the time and the name of this program: a line for each line of the message,
/// with the characters escaped that a terminal would obey.
std::string journal_lines(const LogRecord& record);

/// True if `fd` leads to journald, as `journal_stream` (the variable JOURNAL_STREAM: device and inode) says.
bool is_journal(int fd, const char* journal_stream);

}  // namespace pystream::cli
