#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <pystream/pipeline.hpp>
#include <utility>
#include <vector>

#include "python/core/attributes.hpp"
#include "python/core/run_flags.hpp"

/// A pipeline as Python describes it, made a pystream::Pipeline. What a description holds is said in
/// pystream/pipeline/description.py, which makes it.
namespace pystream::python {

/// Stage objects whose attributes come back from their workers.
using AttributeBoxes = std::vector<std::pair<Reference, std::shared_ptr<AttributeBox>>>;

class TreeBuilder {
 public:
  /// `brings_attributes`: the stages run in workers that are forked from this process. `passes_on`: see PythonStage.
  TreeBuilder(std::shared_ptr<RunFlags> flags, bool brings_attributes, bool passes_on)
      : flags_(std::move(flags)), brings_attributes_(brings_attributes), passes_on_(passes_on) {}

  /// Adds what `description` holds. Throws InvalidStageName and Error.
  void add_members(Pipeline& pipeline, const pybind11::dict& description);
  const AttributeBoxes& boxes() const { return boxes_; }

 private:
  void add_member(Pipeline& pipeline, const pybind11::dict& member);
  PipelineStage child_of(const pybind11::dict& description);
  void add_source(Pipeline& pipeline, const pybind11::dict& member);
  void add_sink(Pipeline& pipeline, const pybind11::dict& member);
  std::shared_ptr<AttributeBox> box_for(const pybind11::dict& member);

  std::shared_ptr<RunFlags> flags_;
  bool brings_attributes_;
  bool passes_on_;
  AttributeBoxes boxes_;
};

/// Throw pybind11's own exceptions where a description is not as it must be.
ParallelOptions parallel_options(const pybind11::dict& options);
Join join_named(const std::string& name);

}  // namespace pystream::python
