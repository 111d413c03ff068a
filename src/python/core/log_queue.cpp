#include "python/core/log_queue.hpp"

#include <Python.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "python/core/errors.hpp"

namespace pystream::python {
namespace {

struct Line {
  LogLevel level = LogLevel::info;
  std::string text;
};

std::mutex g_mutex;  ///< guards g_lines; never held while Python runs
std::deque<Line> g_lines;
std::atomic<bool> g_any{false};

void keep(LogLevel level, std::string_view text) {
  const std::lock_guard lock(g_mutex);
  g_lines.push_back({.level = level, .text = std::string(text)});
  g_any.store(true, std::memory_order_relaxed);
}

std::optional<Line> next_line() {
  const std::lock_guard lock(g_mutex);
  if (g_lines.empty()) {
    g_any.store(false, std::memory_order_relaxed);
    return std::nullopt;
  }
  Line line = std::move(g_lines.front());
  g_lines.pop_front();
  return line;
}

/// As in Python's module logging.
int level_number(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return 10;
    case LogLevel::info:
      return 20;
    case LogLevel::warning:
      return 30;
    default:
      return 40;
  }
}

void tell(const Line& line) {
  const Reference module = Reference::stolen(PyImport_ImportModule("pystream.utils.logger"));
  const Reference text = Reference::stolen(
      PyUnicode_DecodeUTF8(line.text.data(), static_cast<Py_ssize_t>(line.text.size()), "backslashreplace"));
  const Reference done = Reference::stolen(
      module && text ? PyObject_CallMethod(module.get(), "log", "iO", level_number(line.level), text.get()) : nullptr);
  if (!done) {
    put_error_aside();
  }
}

}  // namespace

void keep_log() {
  set_logger(keep);
}

void tell_log() noexcept {
  if (!g_any.load(std::memory_order_relaxed)) {
    return;
  }
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);  // the call may be about to throw
  while (const std::optional<Line> line = next_line()) {
    tell(*line);
  }
  PyErr_Restore(type, value, traceback);
}

}  // namespace pystream::python
