#pragma once

#include <memory>
#include <pystream/stage.hpp>

#include "python/core/stage_runner.hpp"

namespace pystream::python {

/// Calls a Python sink for each item; what it gives back is dropped.
class SinkRunner final : public RawSink<> {
 public:
  explicit SinkRunner(PythonStage stage) : runner_(std::move(stage)) {}
  void consume(const Item& in) override;
  void cleanup() override { runner_.cleanup(); }

 private:
  class Nowhere;

  StageRunner runner_;
};

}  // namespace pystream::python
