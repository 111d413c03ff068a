#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "coord/live_status.hpp"

namespace pystream::cli {

/// The file of `run --metrics`, for the textfile collector of Prometheus' node exporter: it always holds a complete
/// set of figures, at most a few seconds old.
class MetricsFile {
 public:
  using Status = std::function<coord::LiveStatus()>;
  using Warn = std::function<void(const std::string&)>;

  /// An empty `file`: none is written. Throws Error if it cannot be written at all. `warn` is told once if it cannot
  /// be written later; the run goes on.
  MetricsFile(std::string file, Warn warn);

  /// Writes if the last time is some seconds ago.
  void update(const Status& status);
  /// Writes the last figures of the run, which has ended.
  void finish(coord::LiveStatus status);

 private:
  void write(coord::LiveStatus status);

  std::string file_;
  Warn warn_;
  bool warned_ = false;
  std::chrono::nanoseconds next_{};
};

}  // namespace pystream::cli
