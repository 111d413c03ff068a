#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <pystream/pipeline.hpp>
#include <string>

#include "api/loop_thread.hpp"
#include "api/run.hpp"
#include "api/stage_tree.hpp"

namespace pystream::api {

/// Checks, once for each type that comes by, that a value's type is the one expected.
class TypeCheck {
 public:
  /// `who`: what takes or gives `expected`, for the message.
  void expect(std::string expected, std::string who);
  /// Throws PayloadError: "<what> int32, but <who> float64".
  void check(const ValueType& type, const char* what) const;

 private:
  std::string expected_ = "any";
  std::string who_;
  mutable std::atomic<const ValueType*> known_{nullptr};
};

/// What a Pipeline consists of: its stages, and, while it runs, its run and its loop.
class PipelineCore {
 public:
  explicit PipelineCore(PipelineOptions options);
  ~PipelineCore();
  PipelineCore(const PipelineCore&) = delete;
  PipelineCore& operator=(const PipelineCore&) = delete;

  /// Throws PipelineUndefined in any process but the one that made this.
  void require_own_process() const;
  bool in_own_process() const;

  void add(TreeNode node, std::string name);
  void set_source(TreeNode node, std::string name);
  void set_sink(TreeNode node, std::string name);
  void serialize(const SerialOptions& options);
  void parallelize(const ParallelOptions& options);
  void branch(const BranchOptions& options);
  [[nodiscard]] bool forward(const void* value, const ValueType& type, const std::stop_token& stop = {});
  [[nodiscard]] std::size_t forward_all(const ValueType& type, const NextValue& next);
  [[nodiscard]] bool forward_generated(const std::stop_token& stop = {});
  [[nodiscard]] std::unique_ptr<LoanSlot> loan(std::size_t size);
  bool take_result(const ValueType& type, const Decode& decode);
  std::size_t take_results(std::size_t limit, const ValueType& type, const Decode& decode);
  void start_loop(std::chrono::nanoseconds period);
  void stop_loop();
  [[nodiscard]] bool drain(std::chrono::nanoseconds timeout);
  [[nodiscard]] std::optional<RunTotals> wait(std::chrono::nanoseconds timeout);
  /// From the start to the end of the source.
  RunTotals run_to_end(const ParallelOptions& options);
  void cleanup();
  Profiles profiles() const;
  PipelineStatus status() const;
  std::vector<DeadLetter> dead_letters(std::size_t most) const;
  std::unique_ptr<PipelineTree> take_tree();
  std::unique_ptr<PipelineTree> take_tree_as(plan::Mode mode, Join join = Join::zip);

 private:
  Run& run() const;
  void set_end(std::optional<TreeNode>& end, TreeNode node, std::string name, const char* what);
  void prepare(plan::Mode mode, const ParallelOptions& options);

  PipelineOptions options_;
  std::uint64_t mark_;
  int process_;
  std::unique_ptr<PipelineTree> tree_;
  bool has_mode_ = false;
  TypeCheck input_;
  TypeCheck output_;
  std::shared_ptr<Run> run_;  ///< shared with open loans
  std::unique_ptr<LoopThread> loop_;
  std::optional<Profiles> last_profiles_;
  std::optional<LetterSource> last_letters_;
  bool has_run_ = false;
};

}  // namespace pystream::api
