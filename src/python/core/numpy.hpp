#pragma once

#include <Python.h>

#include <optional>
#include <pystream/array.hpp>

/// numpy as far as arrays travel without pickle. It is imported when the first array comes; without it there are none.
namespace pystream::python::numpy {

/// Whether this is an array, and no object of a subclass. REQUIRES: this thread holds the lock, here and below.
bool is_array(PyObject* object);
/// The type of an array's elements; nullopt: they are objects, text, records or times, which are pickled.
std::optional<ElementType> element_type_of(PyObject* array);
/// The same array row after row without gaps; a new reference. Throws PythonError.
PyObject* without_gaps(PyObject* array);
/// A new array with memory of its own, which is not initialised. Throws PythonError.
PyObject* new_array(const ArrayShape& shape);
/// A read-only array over the bytes that `buffer` exports from `offset` on. Throws PythonError.
PyObject* view_of(PyObject* buffer, std::size_t offset, const ArrayShape& shape);

}  // namespace pystream::python::numpy
