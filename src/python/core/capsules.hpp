#pragma once

#include <pybind11/pybind11.h>

namespace pystream::python {

/// Defines functions that make Python stages for the plugin of plan files (workers/python): each gives a capsule with
/// the name of a class of <pystream/stage.hpp>, and the object in it lives as long as the process. The process becomes
/// a worker.
void define_capsules(pybind11::module_& module);

}  // namespace pystream::python
