#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

namespace pystream {
namespace {

std::atomic<LogLevel> g_level{LogLevel::warning};

struct Logger {
  std::mutex mutex;
  LogSink sink;
};

Logger& logger() {
  static Logger* const kLogger = std::make_unique<Logger>().release();  // outlives every static Pipeline
  return *kLogger;
}

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      break;
  }
  return spdlog::level::off;
}

void usual_sink(LogLevel level, std::string_view text) {
  // The program may use spdlog itself: nothing of its registry is touched.
  static spdlog::logger* const kUsual = [] {
    auto made = std::make_unique<spdlog::logger>("pystream", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("pystream: %l: %v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made.release();  // outlives every static Pipeline
  }();
  kUsual->log(spdlog_level(level), text);
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
  if (level < log_level() || level == LogLevel::off) {
    return;
  }
  const std::lock_guard lock(logger().mutex);
  if (logger().sink) {
    logger().sink(level, text);
  } else {
    usual_sink(level, text);
  }
}

}  // namespace base
}  // namespace pystream
