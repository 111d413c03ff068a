#pragma once

#include <string>
#include <string_view>

#include "cli/log_record.hpp"
#include "coord/coordinator.hpp"

/// What pystream-coord says to people. Before a pipeline runs a message waits for its reader, as usual. From the first
/// run on nothing does: nobody has to read standard error for a run to be drained, stopped and ended.
namespace pystream::cli {

/// How everything on standard error is written from now on. At first for journald, if that reads it, else as text.
void set_log_format(LogFormat format);
LogFormat log_format();
/// The name of the pipeline that JSON lines tell.
void set_log_pipeline(std::string name);

/// Writes a message. As text: "pystream-coord: [Stage] message", as shown_on() makes it.
void say(const LogRecord& record);
/// Writes text on standard error as it is; in another format than text as a message of each line.
void show(std::string_view text);
/// The same for a line that is soon out of date: left out if the reader is behind.
void show_if_read(std::string_view text);

/// Runs a pipeline. Nothing that is said meanwhile waits for the reader; when the pipeline has ended he has a second to
/// take what is left, and is told how many lines he has missed. What is said afterwards has a second each.
coord::Outcome run_unwaited(coord::Coordinator& coordinator);

}  // namespace pystream::cli
