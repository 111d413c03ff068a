#pragma once

#include <Python.h>

#include <cstddef>
#include <span>

namespace pystream::python {

class Lease;

/// The Python object that the bytes of an item are: what a Python stage gave, an array or an image of a C++ stage, or a
/// tuple of such items where branches are zipped. A new reference. Throws PayloadError if they are none of these, and
/// PythonError.
///
/// `lease`: of these bytes; large parts of the object then look at them and cannot be written. nullptr: the object has
/// memory of its own. REQUIRES: this thread holds Python's lock.
PyObject* decoded(std::span<const std::byte> item, const Lease* lease = nullptr);

}  // namespace pystream::python
