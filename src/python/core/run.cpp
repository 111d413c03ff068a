#include "python/core/run.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <utility>

#include "python/core/decoding.hpp"
#include "python/core/errors.hpp"
#include "python/core/log_queue.hpp"
#include "python/core/process.hpp"

namespace py = pybind11;

namespace pystream::python {
namespace {

/// How long a call waits at most before it looks for signals.
constexpr std::chrono::milliseconds kTurn(40);

std::chrono::steady_clock::duration duration_of(double seconds) {
  constexpr double kMost = 10.0 * 365 * 24 * 3600;
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(std::clamp(seconds, 0.0, kMost)));
}

PipelineOptions pipeline_options(const py::dict& options) {
  return {.input_generator = {},
          .use_profiler = options["use_profiler"].cast<bool>(),
          .profiler_db_folder = options["profiler_db_folder"].cast<std::string>()};
}

/// REQUIRES: this thread holds Python's lock.
void look_for_signals() {
  if (PyErr_CheckSignals() != 0) {
    throw py::error_already_set();
  }
}

}  // namespace

/// A call that the run has to outlive.
class Run::Call {
 public:
  /// Throws PipelineUndefined behind cleanup(). REQUIRES: this thread does not hold Python's lock.
  explicit Call(Run& run) : lock_(run.calls_, std::defer_lock) {
    if (!run.ended_.load(std::memory_order_relaxed)) {
      lock_.lock();
    }
    if (run.ended_.load(std::memory_order_relaxed)) {
      throw PipelineUndefined("the pipeline was cleaned up; call serialize() or parallelize() to start it again");
    }
  }

 private:
  std::shared_lock<std::shared_mutex> lock_;
};

/// Results of a serial pipeline, as the objects that they are.
class Run::SerialResults {
 public:
  explicit SerialResults(bool all) : all_(all) {}

  /// Called by the thread that forwards, without Python's lock.
  void put(const Item& item) {
    Reference object = result_of(item);
    {
      const std::lock_guard lock(mutex_);
      if (all_ || results_.empty()) {
        results_.push_back(std::move(object));
      } else {
        std::swap(results_.front(), object);  // the older one is freed without this lock
      }
    }
    changed_.notify_all();
  }
  /// Waits for one until then.
  std::optional<Reference> take(std::chrono::steady_clock::duration patience) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [this] { return !results_.empty(); })) {
      return std::nullopt;
    }
    Reference object = std::move(results_.front());
    results_.pop_front();
    return object;
  }

 private:
  static Reference result_of(const Item& item) {
    const Gil gil;
    if (const Object* here = item.value<Object>()) {
      return Reference::borrowed(here->get());
    }
    return Reference::stolen(decoded(item.bytes()));
  }

  bool all_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Reference> results_;
};

Run::Run(const py::dict& description, const py::dict& options)
    : flags_(std::make_shared<RunFlags>()),
      serial_(description["mode"].cast<std::string>() == "serial"),
      block_input_(options["block_input"].cast<bool>()),
      block_output_(options["block_output"].cast<bool>()),
      input_timeout_(duration_of(options["input_timeout"].cast<double>())),
      output_timeout_(duration_of(options["output_timeout"].cast<double>())),
      pipeline_(pipeline_options(options)) {
  start(description, options);
}

Run::~Run() {
  if (Py_IsInitialized() == 0) {
    return;
  }
  const WithoutGil unlocked;
  ended_ = true;
  pipeline_ = Pipeline();
}

void Run::start(const py::dict& description, const py::dict& options) {
  ParallelOptions parallel = parallel_options(options);
  TreeBuilder builder(flags_, parallel.start_method == StartMethod::fork, !parallel.capacity.items.has_value());
  builder.add_members(pipeline_, description);
  boxes_ = builder.boxes();
  // The library waits for one turn at a time; how many there are is counted here.
  parallel.input_timeout = parallel.output_timeout = kTurn;
  parallel.block_output = block_output_;
  const auto mode = description["mode"].cast<std::string>();
  const Join join = join_named(description["join"].cast<std::string>());
  const bool has_ends = !description["source"].is_none() || !description["sink"].is_none();
  if (serial_ && !has_ends) {
    serial_results_ = std::make_unique<SerialResults>(parallel.results == Results::all);
  }
  const WithoutGil unlocked;
  if (serial_) {
    SerialOptions serial{.input_timeout = kTurn, .children = std::move(parallel), .on_result = {}};
    if (serial_results_) {
      serial.on_result = [this](const Item& result) { serial_results_->put(result); };
    }
    pipeline_.serialize(serial);
  } else if (mode == "branch") {
    pipeline_.branch({.join = join, .workers = std::move(parallel)});
  } else {
    pipeline_.parallelize(parallel);
  }
}

/// Calls `once` until it is true, it is too late, or a signal has thrown.
template <class Once>
bool Run::in_turns(Clock::duration patience, const Once& once, const py::object& stopped) {
  std::optional<Clock::time_point> until;
  for (;;) {
    bool done = false;
    {
      const WithoutGil unlocked;
      const Call call(*this);
      done = once();
    }
    if (done || patience <= Clock::duration::zero()) {
      return done;
    }
    const Clock::time_point now = Clock::now();
    until = until ? until : now + patience;
    if (now >= *until) {
      return false;
    }
    look_for_signals();
    if (!stopped.is_none() && stopped().cast<bool>()) {
      return false;
    }
  }
}

bool Run::forward(const py::object& data, const py::object& stopped) {
  const Object object(Reference::borrowed(data.ptr()));
  if (!serial_) {
    static_cast<void>(object.encoding());  // while the lock is held anyway
  }
  return in_turns(
      block_input_ ? input_timeout_ : Clock::duration::zero(), [&] { return pipeline_.forward(object); }, stopped);
}

/// REQUIRES: this thread does not hold Python's lock. Waits for a turn if the run blocks for results.
std::optional<Reference> Run::take_once() {
  if (serial_results_) {
    return serial_results_->take(block_output_ ? Clock::duration(kTurn) : Clock::duration::zero());
  }
  const std::optional<Object> result = pipeline_.get_results<Object>();
  if (!result) {
    return std::nullopt;
  }
  const Gil gil;
  return Reference::borrowed(result->get());
}

py::object Run::get_results() {
  std::optional<Reference> result;
  in_turns(block_output_ ? output_timeout_ : Clock::duration::zero(), [&] {
    result = take_once();
    return result.has_value();
  });
  return result ? py::reinterpret_steal<py::object>(result->release()) : py::none();
}

py::list Run::get_all_results(std::size_t limit) {
  py::list all;
  if (limit == 0) {
    return all;
  }
  std::vector<Reference> results;
  in_turns(block_output_ ? output_timeout_ : Clock::duration::zero(), [&] {
    if (serial_results_) {
      while (results.size() < limit) {
        std::optional<Reference> result =
            serial_results_->take(block_output_ && results.empty() ? Clock::duration(kTurn) : Clock::duration::zero());
        if (!result) {
          break;
        }
        results.push_back(*std::move(result));
      }
    } else {
      for (const Object& object : pipeline_.get_all_results<Object>(limit)) {
        const Gil gil;
        results.push_back(Reference::borrowed(object.get()));
      }
    }
    return !results.empty();
  });
  for (Reference& result : results) {
    all.append(py::reinterpret_steal<py::object>(result.release()));
  }
  return all;
}

bool Run::drain(double timeout) {
  return in_turns(duration_of(timeout), [&] { return pipeline_.drain(kTurn); });
}

bool Run::wait(double timeout) {
  return in_turns(duration_of(timeout), [&] { return pipeline_.wait(kTurn); });
}

std::pair<std::map<std::string, double>, std::map<std::string, double>> Run::profiles() const {
  const WithoutGil unlocked;
  Profiles profiles = pipeline_.get_profiles();
  return {std::move(profiles.latency), std::move(profiles.throughput)};
}

PipelineStatus Run::status() {
  const WithoutGil unlocked;
  const Call call(*this);
  return pipeline_.status();
}

std::vector<DeadLetter> Run::dead_letters(std::size_t most) const {
  const WithoutGil unlocked;
  return pipeline_.dead_letters(most);
}

void Run::cleanup(bool abandon) {
  if (ended_.exchange(true)) {
    return;
  }
  if (abandon) {
    flags_->abandon();
  }
  {
    const WithoutGil unlocked;
    const std::unique_lock lock(calls_);
    pipeline_.cleanup();
  }
  if (!abandon) {
    for (const auto& [stage, box] : boxes_) {
      box->take(stage.get());
    }
  }
  boxes_.clear();
}

}  // namespace pystream::python
