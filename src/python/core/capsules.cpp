#include "python/core/capsules.hpp"

#include <memory>
#include <pystream/stage.hpp>
#include <string>

#include "python/core/process.hpp"
#include "python/core/sink_runner.hpp"
#include "python/core/source_runner.hpp"
#include "python/core/stage_runner.hpp"

namespace py = pybind11;

namespace pystream::python {
namespace {

PythonStage described(const py::object& callable, bool has_cleanup, bool zero_copy, const std::string& takes) {
  become_worker();
  return {.callable = Reference::borrowed(callable.ptr()),
          .has_cleanup = has_cleanup,
          .zero_copy = zero_copy,
          .takes = form_named(takes)};
}

py::capsule stage_capsule(const py::object& callable, bool has_cleanup, bool zero_copy, const std::string& takes,
                          const std::string& gives) {
  PythonStage stage = described(callable, has_cleanup, zero_copy, takes);
  stage.gives = form_named(gives);
  std::unique_ptr<RawStage> made = std::make_unique<StageRunner>(std::move(stage));
  return py::capsule(made.release(), "pystream.RawStage");
}

py::capsule sink_capsule(const py::object& callable, bool has_cleanup, bool zero_copy, const std::string& takes) {
  std::unique_ptr<RawSink<>> made = std::make_unique<SinkRunner>(described(callable, has_cleanup, zero_copy, takes));
  return py::capsule(made.release(), "pystream.RawSink");
}

py::capsule source_capsule(const py::object& iterable) {
  become_worker();
  std::unique_ptr<RawSource<std::uint64_t>> made =
      std::make_unique<SourceRunner>(Reference::borrowed(iterable.ptr()), nullptr);
  return py::capsule(made.release(), "pystream.RawSource");
}

}  // namespace

void define_capsules(py::module_& module) {
  module.def("stage_capsule", stage_capsule);
  module.def("sink_capsule", sink_capsule);
  module.def("source_capsule", source_capsule);
}

}  // namespace pystream::python
