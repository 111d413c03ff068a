#include "cli/standard_error.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/nonblocking_writer.hpp"
#include "cli/style.hpp"
#include "cli/terminal.hpp"

namespace pystream::cli {
namespace {

constexpr std::chrono::milliseconds kLastPatience = std::chrono::seconds(1);

struct StandardError {
  base::NonblockingWriter writer{STDERR_FILENO};
  bool in_loop = false;    ///< an event loop writes what waits
  bool unwaited = false;   ///< a run has begun once: its signals stay blocked, so nothing may block any more
  std::uint64_t told = 0;  ///< of the dropped lines
  LogFormat format = is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM")) ? LogFormat::journal : LogFormat::text;
  std::string pipeline;  ///< its name; empty: none is known
};

StandardError& standard_error() {
  static StandardError* const kErrors = std::make_unique<StandardError>().release();
  return *kErrors;
}

void write(std::string_view text) {
  StandardError& errors = standard_error();
  errors.writer.write(text);
  if (!errors.in_loop) {
    errors.writer.flush_within(errors.unwaited ? std::optional(kLastPatience) : std::nullopt);
  }
}

std::string formatted(LogRecord record) {
  const std::string message = shown_on(STDERR_FILENO, record.message);
  record.message = message;
  switch (log_format()) {
    case LogFormat::json:
      return json_line(record, standard_error().pipeline, std::chrono::system_clock::now());
    case LogFormat::journal:
      return journal_lines(record);
    case LogFormat::text:
      break;
  }
  const std::string worker = record.worker.empty() ? "" : "[" + std::string(record.worker) + "] ";
  return Style(STDERR_FILENO).red("pystream-coord: ") + shown_on(STDERR_FILENO, worker) + message + "\n";
}

class UnwaitedErrors {
 public:
  explicit UnwaitedErrors(base::EventLoop& loop) : errors_(standard_error()) {
    errors_.unwaited = true;
    errors_.in_loop = true;
    errors_.writer.attach(loop);
  }
  ~UnwaitedErrors() {
    errors_.in_loop = false;
    errors_.writer.flush_within(kLastPatience);
    errors_.writer.detach();
    const std::uint64_t lost = errors_.writer.dropped() - std::exchange(errors_.told, errors_.writer.dropped());
    if (lost > 0) {
      say({.message = std::to_string(lost) + (lost == 1 ? " line was" : " lines were") +
                      " not shown: nobody read standard error fast enough"});
    }
  }
  UnwaitedErrors(const UnwaitedErrors&) = delete;
  UnwaitedErrors& operator=(const UnwaitedErrors&) = delete;

 private:
  StandardError& errors_;
};

}  // namespace

void set_log_format(LogFormat format) {
  standard_error().format = format;
}

LogFormat log_format() {
  return standard_error().format;
}

void set_log_pipeline(std::string name) {
  standard_error().pipeline = std::move(name);
}

void say(const LogRecord& record) {
  write(formatted(record));
}

void show(std::string_view text) {
  if (log_format() == LogFormat::text) {
    write(text);
    return;
  }
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (const std::string_view line = text.substr(0, end); !line.empty()) {
      say({.message = line, .level = LogLevel::info});
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

void show_if_read(std::string_view text) {
  standard_error().writer.write_if_read(text);
}

coord::Outcome run_unwaited(coord::Coordinator& coordinator) {
  const UnwaitedErrors errors(coordinator.loop());
  return coordinator.run();
}

}  // namespace pystream::cli
