#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <pystream/pipeline.hpp>
#include <shared_mutex>
#include <vector>

#include "python/core/object.hpp"
#include "python/core/run_flags.hpp"
#include "python/core/tree.hpp"

namespace pystream::python {

/// A pipeline that runs, as Python calls it. Every call is entered with Python's lock and gives it away where it may
/// wait; it waits in short turns, between which signals are looked for (Ctrl-C). Calls from several threads may
/// overlap; cleanup() lets those that run come to an end first.
class Run {
 public:
  /// Starts it. `description`, `options`: see pystream/pipeline/description.py.
  Run(const pybind11::dict& description, const pybind11::dict& options);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// `stopped`: a callable that is asked between turns whether to give up; or None.
  bool forward(const pybind11::object& data, const pybind11::object& stopped);
  /// None if there is none.
  pybind11::object get_results();
  pybind11::list get_all_results(std::size_t limit);
  bool drain(double timeout);
  bool wait(double timeout);
  /// Latencies and throughputs by profile key.
  std::pair<std::map<std::string, double>, std::map<std::string, double>> profiles() const;
  PipelineStatus status();
  std::vector<DeadLetter> dead_letters(std::size_t most) const;
  /// `abandon`: the stages are not cleaned up; they go on in another pipeline.
  void cleanup(bool abandon);

 private:
  using Clock = std::chrono::steady_clock;

  class Call;
  class SerialResults;

  void start(const pybind11::dict& description, const pybind11::dict& options);
  std::optional<Reference> take_once();
  template <class Once>
  bool in_turns(Clock::duration patience, const Once& once, const pybind11::object& stopped = pybind11::none());

  std::shared_ptr<RunFlags> flags_;
  AttributeBoxes boxes_;
  bool serial_ = false;
  bool block_input_ = true;
  bool block_output_ = false;
  Clock::duration input_timeout_{};
  Clock::duration output_timeout_{};
  std::unique_ptr<SerialResults> serial_results_;
  std::shared_mutex calls_;  ///< shared by calls that run, owned by cleanup()
  std::atomic<bool> ended_{false};
  Pipeline pipeline_;
};

}  // namespace pystream::python
