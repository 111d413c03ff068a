#include <mutex>
#include <pystream/pipeline.hpp>
#include <utility>

#include "api/pipeline_core.hpp"
#include "profile/home.hpp"

namespace pystream {
namespace {

struct ProfilerFolder {
  std::mutex mutex;
  std::optional<std::filesystem::path> path;
};

ProfilerFolder& profiler_folder() {
  static ProfilerFolder folder;
  return folder;
}

detail::StageParts registered_parts(RegisteredStage stage, StageOptions options) {
  detail::StageParts parts;
  parts.registered = std::move(stage);
  parts.input = parts.output = "any";
  parts.options = std::move(options);
  return parts;
}

/// An ErasedStage as a worker or a serial pipeline sees it.
class ErasedAdapter final : public ItemAdapter {
 public:
  ErasedAdapter(std::unique_ptr<RawStage> stage, const ValueType* takes) : stage_(std::move(stage)), takes_(takes) {}
  void process(const Item& in, Output& out) override { (*stage_)(in, out); }
  const ValueType* takes() const override { return takes_; }
  void cleanup() override { stage_->cleanup(); }

 private:
  std::unique_ptr<RawStage> stage_;
  const ValueType* takes_;
};

detail::StageParts erased_parts(ErasedStage stage, StageOptions options) {
  if (!stage.make) {
    throw Error("ErasedStage::make is empty; give a function that makes the stage");
  }
  detail::StageParts parts;
  parts.factory = [make = std::move(stage.make), takes = stage.takes]() -> std::unique_ptr<StageAdapter> {
    std::unique_ptr<RawStage> made = make();
    if (!made) {
      throw Error("ErasedStage::make gave no stage");
    }
    return std::make_unique<ErasedAdapter>(std::move(made), takes);
  };
  parts.input = std::move(stage.input);
  parts.output = std::move(stage.output);
  parts.options = std::move(options);
  return parts;
}

}  // namespace

void set_profiler_db_folder(std::filesystem::path path) {
  const std::lock_guard lock(profiler_folder().mutex);
  profiler_folder().path = std::move(path);
}

std::filesystem::path get_profiler_db_folder() {
  const std::lock_guard lock(profiler_folder().mutex);
  return profiler_folder().path ? *profiler_folder().path : profile::usual_profiler_folder();
}

PipelineStage::PipelineStage(std::unique_ptr<api::PipelineTree> tree) : tree_(std::move(tree)) {}
PipelineStage::~PipelineStage() = default;
PipelineStage::PipelineStage(PipelineStage&&) noexcept = default;
PipelineStage& PipelineStage::operator=(PipelineStage&&) noexcept = default;
std::unique_ptr<api::PipelineTree> PipelineStage::take() && {
  return std::move(tree_);
}

Loan::Loan() = default;
Loan::Loan(std::unique_ptr<api::LoanSlot> slot) : slot_(std::move(slot)) {}
Loan::~Loan() = default;
Loan::Loan(Loan&&) noexcept = default;
Loan& Loan::operator=(Loan&&) noexcept = default;

std::span<std::byte> Loan::bytes() const {
  return slot_ ? slot_->bytes() : std::span<std::byte>();
}

void Loan::forward(std::size_t size) {
  if (!slot_) {
    throw Error("this loan is empty: there was no room, or it was forwarded already");
  }
  if (size > slot_->bytes().size()) {
    throw Error("forward(" + std::to_string(size) + ") of a loan of " + std::to_string(slot_->bytes().size()) +
                " bytes; ask loan() for as much as is needed");
  }
  const std::unique_ptr<api::LoanSlot> slot = std::move(slot_);
  slot->send(size);
}

void Loan::forward() {
  forward(bytes().size());
}

Pipeline::Pipeline(PipelineOptions options) : core_(std::make_unique<api::PipelineCore>(std::move(options))) {}

Pipeline::~Pipeline() {
  if (core_ && !core_->in_own_process()) {
    // A copy in a child process: threads and workers are not this process's to end.
    [[maybe_unused]] const api::PipelineCore* left_alone = core_.release();
  }
}

Pipeline::Pipeline(Pipeline&&) noexcept = default;

Pipeline& Pipeline::operator=(Pipeline&& other) noexcept {
  Pipeline ending(std::move(*this));
  core_ = std::move(other.core_);
  return *this;
}

api::PipelineCore& Pipeline::core() const {
  if (!core_) {
    throw PipelineUndefined("this pipeline was moved from; use the one it was moved to");
  }
  return *core_;
}

Pipeline& Pipeline::add_parts(detail::StageParts parts, std::string name) {
  core().add({.name = {}, .stage = std::move(parts), .child = {}}, std::move(name));
  return *this;
}

Pipeline& Pipeline::add_source(detail::StageParts parts, std::string name) {
  core().set_source({.name = {}, .stage = std::move(parts), .child = {}}, std::move(name));
  return *this;
}

Pipeline& Pipeline::add_sink(detail::StageParts parts, std::string name) {
  core().set_sink({.name = {}, .stage = std::move(parts), .child = {}}, std::move(name));
  return *this;
}

Pipeline& Pipeline::add(RegisteredStage stage, std::string name, StageOptions options) {
  return add_parts(registered_parts(std::move(stage), std::move(options)), std::move(name));
}

Pipeline& Pipeline::add(ErasedStage stage, std::string name, StageOptions options) {
  return add_parts(erased_parts(std::move(stage), std::move(options)), std::move(name));
}

Pipeline& Pipeline::source(RegisteredStage source, std::string name, StageOptions options) {
  return add_source(registered_parts(std::move(source), std::move(options)), std::move(name));
}

Pipeline& Pipeline::sink(RegisteredStage sink, std::string name, StageOptions options) {
  return add_sink(registered_parts(std::move(sink), std::move(options)), std::move(name));
}

Pipeline& Pipeline::add(PipelineStage child, std::string name, ChildOptions options) {
  std::unique_ptr<api::PipelineTree> tree = std::move(child).take();
  if (!tree) {
    throw PipelineUndefined("this pipeline stage was added before; as_stage() gives one for one place");
  }
  api::TreeNode node{.name = {}, .stage = {}, .child = std::move(tree)};
  node.stage.options.replicas = options.replicas;
  node.stage.options.share = std::move(options.share);
  core().add(std::move(node), std::move(name));
  return *this;
}

Pipeline& Pipeline::serialize(const SerialOptions& options) {
  core().serialize(options);
  return *this;
}

Pipeline& Pipeline::parallelize(const ParallelOptions& options) {
  core().parallelize(options);
  return *this;
}

Pipeline& Pipeline::branch(const BranchOptions& options) {
  core().branch(options);
  return *this;
}

bool Pipeline::forward_value(const void* value, const ValueType& type) {
  return core().forward(value, type);
}

std::size_t Pipeline::forward_values(const ValueType& type, const std::function<const void*()>& next) {
  return core().forward_all(type, next);
}

bool Pipeline::forward() {
  return core().forward_generated();
}

Loan Pipeline::loan(std::size_t size) {
  return Loan(core().loan(size));
}

void Pipeline::take_result(const ValueType& type, const std::function<void(std::span<const std::byte>)>& decode) {
  core().take_result(type, decode);
}

void Pipeline::take_results(std::size_t limit, const ValueType& type,
                            const std::function<void(std::span<const std::byte>)>& decode) {
  core().take_results(limit, type, decode);
}

void Pipeline::start_loop(std::chrono::nanoseconds period) {
  core().start_loop(period);
}
void Pipeline::stop_loop() {
  core().stop_loop();
}
bool Pipeline::drain(std::chrono::nanoseconds timeout) {
  return core().drain(timeout);
}
bool Pipeline::wait(std::chrono::nanoseconds timeout) {
  return core().wait(timeout).has_value();
}
RunTotals Pipeline::run(const ParallelOptions& options) {
  return core().run_to_end(options);
}
void Pipeline::cleanup() {
  core().cleanup();
}
Profiles Pipeline::get_profiles() const {
  return core().profiles();
}
PipelineStatus Pipeline::status() const {
  return core().status();
}
std::vector<DeadLetter> Pipeline::dead_letters(std::size_t most) const {
  return core().dead_letters(most);
}

PipelineStage Pipeline::as_stage() {
  return PipelineStage(core().take_tree());
}
PipelineStage Pipeline::as_serial_stage() {
  return PipelineStage(core().take_tree_as(plan::Mode::serial));
}
PipelineStage Pipeline::as_parallel_stage() {
  return PipelineStage(core().take_tree_as(plan::Mode::parallel));
}
PipelineStage Pipeline::as_branch_stage(Join join) {
  return PipelineStage(core().take_tree_as(plan::Mode::branch, join));
}

}  // namespace pystream
