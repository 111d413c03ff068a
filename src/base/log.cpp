#include "base/log.hpp"

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "base/owned_mutex.hpp"

namespace pystream {
namespace {

std::atomic<LogLevel> g_level{LogLevel::warning};

struct Logger {
  base::OwnedMutex mutex;
  LogSink sink;
};

Logger& logger() {
  static Logger* const kLogger = std::make_unique<Logger>().release();  // outlives every static Pipeline
  return *kLogger;
}

std::string_view word_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
    case LogLevel::off:
      break;
  }
  return "off";
}

/// No logging library: the symbols of one would meet those of the copy that the user's program has.
void usual_sink(LogLevel level, std::string_view text) {
  std::string line = "pystream: ";
  line.append(word_of(level)).append(": ").append(text).append("\n");
  std::fwrite(line.data(), 1, line.size(), stderr);
}

bool is_wanted(LogLevel level) {
  return level >= log_level() && level != LogLevel::off;
}

/// REQUIRES: the logger's mutex is held.
void say(LogLevel level, std::string_view text) {
  if (logger().sink) {
    logger().sink(level, text);
  } else {
    usual_sink(level, text);
  }
}

}  // namespace

void set_logger(LogSink sink) {
  const std::lock_guard lock(logger().mutex);
  logger().sink = std::move(sink);
}

void set_log_level(LogLevel level) {
  g_level.store(level, std::memory_order_relaxed);
}

LogLevel log_level() {
  return g_level.load(std::memory_order_relaxed);
}

namespace base {

void log(LogLevel level, std::string_view text) {
  if (!is_wanted(level)) {
    return;
  }
  if (logger().mutex.is_mine()) {  // the logger has called the library
    usual_sink(level, text);
    return;
  }
  const std::lock_guard lock(logger().mutex);
  say(level, text);
}

bool try_log(LogLevel level, std::string_view text) {
  if (!is_wanted(level)) {
    return true;
  }
  const std::unique_lock lock(logger().mutex, std::try_to_lock);
  if (lock) {
    say(level, text);
  }
  return lock.owns_lock();
}

}  // namespace base
}  // namespace pystream
