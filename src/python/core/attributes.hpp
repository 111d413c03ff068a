#pragma once

#include <Python.h>

#include <string>

#include "python/core/reference.hpp"

namespace pystream::python {

/// Brings the attributes of a stage object from its worker back to the user's process, where they can be read after
/// cleanup(). A memory file that both processes have, since one was forked from the other.
class AttributeBox {
 public:
  /// Throws std::system_error.
  AttributeBox();
  ~AttributeBox();
  AttributeBox(const AttributeBox&) = delete;
  AttributeBox& operator=(const AttributeBox&) = delete;

  /// In the worker: puts the object's __dict__ in; of attributes that cannot be pickled it says so on standard error
  /// and leaves them out. REQUIRES: this thread holds Python's lock, here and below.
  void put(PyObject* stage) const;
  /// In the user's process: sets what was put in as attributes of `stage`; nothing if the worker did not come to it.
  void take(PyObject* stage) const;

 private:
  int fd_;
};

}  // namespace pystream::python
