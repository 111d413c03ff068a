#include "api/pipeline_core.hpp"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <tuple>

#include "api/parallel_run.hpp"
#include "api/serial_run.hpp"
#include "base/exception_text.hpp"
#include "base/log.hpp"
#include "base/process_mark.hpp"

namespace pystream::api {

void TypeCheck::expect(std::string expected, std::string who) {
  expected_ = std::move(expected);
  who_ = std::move(who);
  known_.store(nullptr, std::memory_order_relaxed);
}

void TypeCheck::check(const ValueType& type, const char* what) const {
  if (known_.load(std::memory_order_relaxed) == &type) {
    return;
  }
  const std::string name = type.name();
  if (expected_ != "any" && name != "any" && name != expected_) {
    throw PayloadError(std::string(what) + " " + name + ", but stage " + who_ + " " + expected_ + "; use that type");
  }
  known_.store(&type, std::memory_order_relaxed);
}

PipelineCore::PipelineCore(PipelineOptions options)
    : options_(std::move(options)),
      mark_(base::process_mark()),
      process_(::getpid()),
      tree_(std::make_unique<PipelineTree>()) {
  if (!options_.profiler_db_folder) {
    options_.profiler_db_folder = get_profiler_db_folder();
  }
}

PipelineCore::~PipelineCore() {
  try {
    cleanup();
  } catch (...) {
    base::log(LogLevel::error, "cleanup of a pipeline failed: " + base::exception_text());
  }
}

bool PipelineCore::in_own_process() const {
  return mark_ == base::process_mark();
}

void PipelineCore::require_own_process() const {
  if (!in_own_process()) {
    throw PipelineUndefined("this pipeline belongs to process " + std::to_string(process_) +
                            ", which created it; create one in this process");
  }
}

Run& PipelineCore::run() const {
  require_own_process();
  if (!run_) {
    throw PipelineUndefined("the pipeline does not run; call serialize() or parallelize() first");
  }
  return *run_;
}

void PipelineCore::add(TreeNode node, std::string name) {
  require_own_process();
  node.name = checked_name(*tree_, std::move(name));
  tree_->members.push_back(std::move(node));
}

void PipelineCore::set_end(std::optional<TreeNode>& end, TreeNode node, std::string name, const char* what) {
  require_own_process();
  if (end) {
    throw Error(std::string("the pipeline has a ") + what + " already: \"" + end->name + "\"");
  }
  node.name = checked_name(*tree_, std::move(name));
  end = std::move(node);
}

void PipelineCore::set_source(TreeNode node, std::string name) {
  set_end(tree_->source, std::move(node), std::move(name), "source");
}

void PipelineCore::set_sink(TreeNode node, std::string name) {
  set_end(tree_->sink, std::move(node), std::move(name), "sink");
}

void PipelineCore::prepare(plan::Mode mode, const ParallelOptions& options) {
  require_own_process();
  cleanup();
  if (tree_->source && options_.input_generator) {
    throw PipelineInitiationError("the pipeline has both a source and an input_generator; leave one of them out");
  }
  tree_->mode = mode;
  has_mode_ = true;
  resolve_registered(*tree_, options);
  const TreeEnds ends = check_tree(*tree_);
  input_.expect(ends.input.type, ends.input.who + " takes");
  output_.expect(ends.output.type, ends.output.who + " gives");
}

void PipelineCore::serialize(const SerialOptions& options) {
  if (tree_->source && !tree_->sink) {
    throw PipelineInitiationError(
        "a serial pipeline with a source has a sink, too, or neither of them; add the sink, or call "
        "parallelize()");
  }
  prepare(plan::Mode::serial, options.children);
  if (tree_->has_end()) {
    run_ = std::make_shared<ParallelRun>(*tree_, options.children, options_);
  } else {
    run_ = std::make_shared<SerialRun>(*tree_, options, options_);
  }
  has_run_ = true;
}

void PipelineCore::parallelize(const ParallelOptions& options) {
  prepare(plan::Mode::parallel, options);
  run_ = std::make_shared<ParallelRun>(*tree_, options, options_);
  has_run_ = true;
}

void PipelineCore::branch(const BranchOptions& options) {
  tree_->join = options.join;
  prepare(plan::Mode::branch, options.workers);
  run_ = std::make_shared<ParallelRun>(*tree_, options.workers, options_);
  has_run_ = true;
}

bool PipelineCore::forward(const void* value, const ValueType& type, const std::stop_token& stop) {
  Run& here = run();
  input_.check(type, "forward() was given items of type");
  return here.forward(value, type, stop);
}

std::size_t PipelineCore::forward_all(const ValueType& type, const NextValue& next) {
  Run& here = run();
  input_.check(type, "forward_all() was given items of type");
  return here.forward_all(type, next);
}

bool PipelineCore::forward_generated(const std::stop_token& stop) {
  run();
  if (!options_.input_generator) {
    throw Error("forward() without an item needs an input_generator; give one in PipelineOptions");
  }
  return options_.input_generator([&](const void* value, const ValueType& type) { return forward(value, type, stop); });
}

namespace {

/// A loan may outlive the run it belongs to; then it can only be destroyed.
class KeptSlot final : public LoanSlot {
 public:
  KeptSlot(std::shared_ptr<Run> run, std::unique_ptr<LoanSlot> slot) : run_(std::move(run)), slot_(std::move(slot)) {}
  std::span<std::byte> bytes() override { return slot_->bytes(); }
  void send(std::size_t size) override { slot_->send(size); }

 private:
  std::shared_ptr<Run> run_;  // goes after the slot
  std::unique_ptr<LoanSlot> slot_;
};

}  // namespace

std::unique_ptr<LoanSlot> PipelineCore::loan(std::size_t size) {
  std::unique_ptr<LoanSlot> slot = run().loan(size);
  return slot ? std::make_unique<KeptSlot>(run_, std::move(slot)) : nullptr;
}

bool PipelineCore::take_result(const ValueType& type, const Decode& decode) {
  Run& here = run();
  output_.check(type, "get_results() was asked for items of type");
  return here.take_result(decode);
}

std::size_t PipelineCore::take_results(std::size_t limit, const ValueType& type, const Decode& decode) {
  Run& here = run();
  output_.check(type, "get_all_results() was asked for items of type");
  return here.take_results(limit, decode);
}

void PipelineCore::start_loop(std::chrono::nanoseconds period) {
  run();
  if (!options_.input_generator) {
    throw Error("start_loop() needs an input_generator; give one in PipelineOptions");
  }
  stop_loop();
  const auto cycle = [this](const std::stop_token& stop) {
    std::ignore = forward_generated(stop);  // without room in time this item is left out, and the next one is tried
  };
  loop_ = std::make_unique<LoopThread>(cycle, period);
}

void PipelineCore::stop_loop() {
  require_own_process();
  if (loop_) {
    const std::unique_ptr<LoopThread> ending = std::move(loop_);
    ending->stop();
  }
}

bool PipelineCore::drain(std::chrono::nanoseconds timeout) {
  return run().drain(timeout);
}

std::optional<RunTotals> PipelineCore::wait(std::chrono::nanoseconds timeout) {
  return run().wait(timeout);
}

RunTotals PipelineCore::run_to_end(const ParallelOptions& options) {
  require_own_process();
  if (!tree_->source || !tree_->sink) {
    throw PipelineInitiationError(std::string("run() needs a source and a sink, and this pipeline has no ") +
                                  (tree_->source ? "sink" : "source") +
                                  "; add it, or call parallelize() and feed or read the pipeline yourself");
  }
  parallelize(options);
  std::optional<RunTotals> totals;
  try {
    while (!totals) {
      totals = run_->wait(kForEver);
    }
  } catch (...) {
    cleanup();
    throw;
  }
  cleanup();
  return *totals;
}

void PipelineCore::cleanup() {
  require_own_process();
  try {
    stop_loop();
  } catch (...) {  // stop_loop() was not called, so nothing else reports it
    base::log(LogLevel::error, "the loop of the input_generator had ended: " + base::exception_text());
  }
  if (!run_) {
    return;
  }
  const std::shared_ptr<Run> ending = std::move(run_);
  last_profiles_.reset();
  if (options_.use_profiler) {
    try {
      last_profiles_ = ending->profiles();
    } catch (const Error& error) {
      base::log(LogLevel::info, std::string("no last profile: ") + error.what());
    }
  }
  ending->stop();
  last_letters_ = ending->letters();
}

Profiles PipelineCore::profiles() const {
  require_own_process();
  if (!options_.use_profiler) {
    throw ProfilingError("this pipeline has no profiler; make it with PipelineOptions{.use_profiler = true}");
  }
  if (run_) {
    return run_->profiles();
  }
  if (!last_profiles_) {
    throw PipelineUndefined("the pipeline has not run yet; call serialize() or parallelize() first");
  }
  return *last_profiles_;
}

PipelineStatus PipelineCore::status() const {
  return run().status();
}

std::vector<DeadLetter> PipelineCore::dead_letters(std::size_t most) const {
  require_own_process();
  if (!run_ && !has_run_) {
    throw PipelineUndefined("the pipeline has not run yet; call serialize() or parallelize() first");
  }
  const auto source = run_ ? run_->letters() : last_letters_;
  return source ? source->read(most) : std::vector<DeadLetter>();
}

std::unique_ptr<PipelineTree> PipelineCore::take_tree() {
  require_own_process();
  if (!has_mode_) {
    throw PipelineUndefined(
        "a pipeline that becomes a stage needs a mode; call serialize(), parallelize() or branch() first");
  }
  if (tree_->source) {
    throw PipelineUndefined("a pipeline with a source cannot become a stage of another one");
  }
  cleanup();
  has_mode_ = false;
  return std::exchange(tree_, std::make_unique<PipelineTree>());
}

std::unique_ptr<PipelineTree> PipelineCore::take_tree_as(plan::Mode mode, Join join) {
  require_own_process();
  tree_->mode = mode;
  tree_->join = join;
  has_mode_ = true;
  return take_tree();
}

}  // namespace pystream::api
