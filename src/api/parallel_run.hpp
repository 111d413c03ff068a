#pragma once

#include "api/entry.hpp"
#include "api/exit.hpp"
#include "api/run.hpp"
#include "api/session.hpp"

namespace pystream::api {

/// A parallel pipeline: every stage in a worker, this process at both ends.
class ParallelRun final : public Run {
 public:
  ParallelRun(PipelineTree& tree, const ParallelOptions& options, const PipelineOptions& pipeline);

  bool forward(const void* value, const ValueType& type, const std::stop_token& stop) override;
  std::size_t forward_all(const ValueType& type, const NextValue& next) override;
  std::unique_ptr<LoanSlot> loan(std::size_t size) override;
  bool take_result(const Decode& decode) override;
  bool drain(std::chrono::nanoseconds timeout) override;
  Profiles profiles() override { return session_.profiles(); }
  PipelineStatus status() override;
  std::optional<LetterSource> letters() const override { return session_.letters(); }
  void stop() override;

 private:
  Session session_;
  Entry entry_;
  Exit exit_;
};

/// What status() says of a pipeline with workers.
PipelineStatus session_status(Session& session);

}  // namespace pystream::api
