#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <exception>
#include <pystream/error.hpp>
#include <string>

#include "python/core/capsules.hpp"
#include "python/core/decoding.hpp"
#include "python/core/encoding.hpp"
#include "python/core/errors.hpp"
#include "python/core/lease.hpp"
#include "python/core/log_queue.hpp"
#include "python/core/run.hpp"

namespace py = pybind11;

namespace pystream::python {
namespace {

py::object error_class(const char* name) {
  return py::module_::import("pystream.utils.errors").attr(name);
}

void set_error(const char* name, const std::exception& error) {
  PyErr_SetString(error_class(name).ptr(), error.what());
}

void set_termination(const PipelineTerminated& error) {
  const TerminationReason& reason = error.reason();
  const py::object exception = error_class("PipelineTerminated")(error.what());
  exception.attr("stage") = reason.stage;
  exception.attr("signal") = reason.signal;
  exception.attr("item") = reason.item ? py::object(py::int_(*reason.item)) : py::object(py::none());
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
}

/// Gives each exception of the library its class of pystream.utils.errors.
void translate(std::exception_ptr thrown) {
  try {
    if (thrown) {
      std::rethrow_exception(thrown);
    }
  } catch (const PythonError& error) {
    error.restore();
  } catch (const PipelineTerminated& error) {
    set_termination(error);
  } catch (const PipelineUndefined& error) {
    set_error("PipelineUndefined", error);
  } catch (const PipelineInitiationError& error) {
    set_error("PipelineInitiationError", error);
  } catch (const InvalidStageName& error) {
    set_error("InvalidStageName", error);
  } catch (const ProfilingError& error) {
    set_error("ProfilingError", error);
  } catch (const PayloadError& error) {
    set_error("PayloadError", error);
  } catch (const ItemTooLarge& error) {
    set_error("ItemTooLarge", error);
  } catch (const Error& error) {
    set_error("Error", error);
  }
}

/// Behind each call: what the library had to say meanwhile goes to Python's logger.
class LogTeller {
 public:
  LogTeller() = default;
  ~LogTeller() { tell_log(); }
  LogTeller(const LogTeller&) = delete;
  LogTeller& operator=(const LogTeller&) = delete;
};
using Logged = py::call_guard<LogTeller>;

py::bytes encoded(const py::object& object) {
  const Encoding encoding(object.ptr());
  std::string bytes(encoding.size(), '\0');
  encoding.write(std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

py::object decoded_copy(const py::bytes& item) {
  const auto bytes = static_cast<std::string_view>(item);
  return py::reinterpret_steal<py::object>(decoded(std::as_bytes(std::span(bytes))));
}

void define_figures(py::module_& module) {
  py::class_<StageStatus>(module, "StageStatus")
      .def_readonly("key", &StageStatus::key)
      .def_readonly("pid", &StageStatus::pid)
      .def_readonly("items", &StageStatus::items)
      .def_readonly("errors", &StageStatus::errors)
      .def_readonly("last_error", &StageStatus::last_error)
      .def_readonly("restarts", &StageStatus::restarts)
      .def_readonly("link_fill", &StageStatus::link_fill);
  py::class_<LinkStatus>(module, "LinkStatus")
      .def_readonly("name", &LinkStatus::name)
      .def_readonly("items", &LinkStatus::items)
      .def_readonly("dropped", &LinkStatus::dropped)
      .def_readonly("fill", &LinkStatus::fill);
  py::class_<PipelineStatus>(module, "PipelineStatus")
      .def_readonly("coordinator", &PipelineStatus::coordinator)
      .def_readonly("given_up", &PipelineStatus::given_up)
      .def_readonly("stages", &PipelineStatus::stages)
      .def_readonly("links", &PipelineStatus::links);
  py::class_<DeadLetter>(module, "Letter")
      .def_readonly("stage", &DeadLetter::stage)
      .def_readonly("sequence", &DeadLetter::sequence)
      .def_readonly("attempts", &DeadLetter::attempts)
      .def_readonly("reason", &DeadLetter::reason)
      .def_readonly("signal", &DeadLetter::signal)
      .def_readonly("stack", &DeadLetter::stack)
      .def_property_readonly("bytes", [](const DeadLetter& letter) {
        return py::bytes(reinterpret_cast<const char*>(letter.bytes.data()), letter.bytes.size());
      });
}

void define_run(py::module_& module) {
  py::class_<Run>(module, "Run")
      .def(py::init<const py::dict&, const py::dict&>(), Logged())
      .def("forward", &Run::forward, py::arg("data"), py::arg("stopped") = py::none(), Logged())
      .def("get_results", &Run::get_results, Logged())
      .def("get_all_results", &Run::get_all_results, Logged())
      .def("drain", &Run::drain, Logged())
      .def("wait", &Run::wait, Logged())
      .def("profiles", &Run::profiles, Logged())
      .def("status", &Run::status, Logged())
      .def("dead_letters", &Run::dead_letters, Logged())
      .def("cleanup", &Run::cleanup, Logged());
}

}  // namespace
}  // namespace pystream::python

PYBIND11_MODULE(_core, module) {
  using namespace pystream::python;
  module.doc() = "What the package pystream has of the C++ library; for the package alone.";
  module.attr("version") = PYSTREAM_VERSION;
  prepare_leases();
  keep_log();
  py::register_exception_translator(translate);
  define_figures(module);
  define_run(module);
  define_capsules(module);
  module.def("encoded", encoded, py::arg("object"));
  module.def("decoded", decoded_copy, py::arg("item"));
  module.def("default_profiler_db_folder", [] { return pystream::get_profiler_db_folder().string(); });
}
