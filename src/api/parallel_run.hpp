#pragma once

#include "api/entry.hpp"
#include "api/exit.hpp"
#include "api/run.hpp"
#include "api/session.hpp"

namespace pystream::api {

/// A pipeline of workers. This process is at the ends where there is no source or sink.
class ParallelRun final : public Run {
 public:
  ParallelRun(PipelineTree& tree, const ParallelOptions& options, const PipelineOptions& pipeline);

  bool forward(const void* value, const ValueType& type, const std::stop_token& stop) override;
  std::size_t forward_all(const ValueType& type, const NextValue& next) override;
  std::unique_ptr<LoanSlot> loan(std::size_t size) override;
  bool take_result(const Decode& decode) override;
  std::size_t take_results(std::size_t limit, const Decode& decode) override;
  bool drain(std::chrono::nanoseconds timeout) override;
  std::optional<RunTotals> wait(std::chrono::nanoseconds timeout) override;
  Profiles profiles() override { return session_.profiles(); }
  PipelineStatus status() override;
  std::optional<LetterSource> letters() const override { return session_.letters(); }
  void stop() override;

 private:
  Entry& entry(const char* call);
  Exit& exit();
  bool has_source() const { return !entry_; }

  Session session_;
  std::optional<Entry> entry_;  ///< none: a source feeds the pipeline
  std::optional<Exit> exit_;    ///< none: a sink takes the results
};

/// What status() says of a pipeline with workers.
PipelineStatus session_status(Session& session);

}  // namespace pystream::api
