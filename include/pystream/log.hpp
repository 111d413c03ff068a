#pragma once

#include <functional>
#include <string_view>

namespace pystream {

/// How urgent a line of the log is, the least urgent first. `off` is for set_log_level() alone.
enum class LogLevel { debug, info, warning, error, off };

/// Receives what the library has to say in this process. Called by one thread at a time; must not call back into the
/// library.
using LogSink = std::function<void(LogLevel level, std::string_view text)>;

/// Replaces the logger; an empty function puts the usual one back (lines on standard error). Thread-safe.
/// What a pipeline's coordinator reports (a worker that died and was restarted, a stage that hangs, items that were
/// given up) comes here as a warning with one of the next calls of that pipeline, at the latest with cleanup(). Workers
/// are processes of their own: what they print goes to standard error whatever this is set to.
///
///     pystream::set_logger([](pystream::LogLevel, std::string_view text) { journal.push_back(std::string(text)); });
void set_logger(LogSink sink);

/// Lower levels are discarded. Default: LogLevel::warning. Pipelines started later inherit it. Thread-safe.
void set_log_level(LogLevel level);
/// The present level. Thread-safe.
LogLevel log_level();

}  // namespace pystream
