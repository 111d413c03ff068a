#include "python/core/params.hpp"

#include <string>
#include <utility>

namespace py = pybind11;

namespace pystream::python {
namespace {

ParamValue value_of(py::handle from);

ParamMap map_of(const py::dict& from) {
  ParamMap map;
  for (const auto& [key, value] : from) {
    map.emplace_back(key.cast<std::string>(), value_of(value));
  }
  return map;
}

ParamValue value_of(py::handle from) {
  if (from.is_none()) {
    return {};
  }
  if (py::isinstance<py::bool_>(from)) {
    return from.cast<bool>();
  }
  if (py::isinstance<py::int_>(from)) {
    return from.cast<std::int64_t>();
  }
  if (py::isinstance<py::float_>(from)) {
    return from.cast<double>();
  }
  if (py::isinstance<py::str>(from)) {
    return from.cast<std::string>();
  }
  if (py::isinstance<py::dict>(from)) {
    return map_of(from.cast<py::dict>());
  }
  if (py::isinstance<py::list>(from) || py::isinstance<py::tuple>(from)) {
    ParamList list;
    for (const py::handle each : from) {
      list.push_back(value_of(each));
    }
    return list;
  }
  throw py::type_error("found a parameter of type " + std::string(Py_TYPE(from.ptr())->tp_name) +
                       ", expected None, bool, int, float, str, list or dict");
}

}  // namespace

Params params_of(const py::dict& from) {
  return Params(map_of(from));
}

}  // namespace pystream::python
