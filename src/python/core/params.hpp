#pragma once

#include <pybind11/pybind11.h>

#include <pystream/params.hpp>

namespace pystream::python {

/// Parameters of a registered stage type as a dict has them: None, bool, int, float, str, list and dict. Throws
/// TypeError for anything else.
Params params_of(const pybind11::dict& from);

}  // namespace pystream::python
