#pragma once

#include <Python.h>

#include <cstddef>
#include <span>
#include <vector>

#include "python/core/reference.hpp"

namespace pystream::python {

/// An object as pickle (protocol 5): the stream, and beside it the memory of large parts where the object has it.
struct Pickled {
  Reference stream;                       ///< bytes
  Reference parts;                        ///< list of pickle.PickleBuffer
  std::vector<const Py_buffer*> buffers;  ///< of the parts, each without gaps

  std::size_t size() const { return static_cast<std::size_t>(PyBytes_GET_SIZE(stream.get())); }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(PyBytes_AS_STRING(stream.get()), size())); }
};

/// Throws PythonError if an object cannot be pickled. REQUIRES: this thread holds Python's lock, here and below.
Pickled pickle(PyObject* object);
/// A new reference. `buffers`: a list of objects that export memory.
PyObject* unpickle(std::span<const std::byte> stream, PyObject* buffers);

}  // namespace pystream::python
