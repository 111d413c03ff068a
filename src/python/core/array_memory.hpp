#pragma once

#include <Python.h>

#include <cstddef>
#include <optional>
#include <pystream/array.hpp>
#include <span>

#include "python/core/reference.hpp"

namespace pystream::python {

/// The elements of a numpy array where it has them, without gaps: those of an array with gaps are copied first.
class ArrayMemory {
 public:
  /// Throws PythonError; TypeError if the object is no array of numbers. REQUIRES: this thread holds Python's lock. Its
  /// end takes the lock.
  explicit ArrayMemory(PyObject* array);
  ~ArrayMemory();
  ArrayMemory(const ArrayMemory&) = delete;
  ArrayMemory& operator=(const ArrayMemory&) = delete;

  const ArrayShape& shape() const { return shape_; }
  std::span<const std::byte> bytes() const {
    return {static_cast<const std::byte*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }

 private:
  bool look_at(PyObject* array);

  Reference copy_;
  Py_buffer view_{};
  ArrayShape shape_;
};

/// Whether an object is an array whose elements travel without pickle.
bool is_array_of_numbers(PyObject* object);

}  // namespace pystream::python
