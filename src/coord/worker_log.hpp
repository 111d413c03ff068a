#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace pystream::coord {

/// Splits the standard error of one worker into lines, and keeps the last 20 of them for a crash report.
class WorkerLog {
 public:
  using OnLine = std::function<void(const std::string& line)>;

  /// Reads what `fd` (non-blocking) holds, at most 128 KiB a call. A line of 4 KiB or more is passed on in parts.
  /// False at the end: nothing more will come.
  [[nodiscard]] bool read(int fd, const OnLine& on_line);
  /// Passes on the last line, if no newline ended it.
  void finish(const OnLine& on_line);
  /// The last lines since the previous call.
  std::vector<std::string> take_last_lines();

 private:
  void end_line(const OnLine& on_line);

  std::string line_;  ///< not yet complete
  std::deque<std::string> last_lines_;
};

}  // namespace pystream::coord
