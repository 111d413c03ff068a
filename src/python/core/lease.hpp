#pragma once

#include <Python.h>

#include <cstddef>
#include <span>

#include "python/core/reference.hpp"

namespace pystream::python {

/// Makes the type of leases known to Python. Throws PythonError.
void prepare_leases();

/// Bytes of an item that Python objects look at where they lie, for the length of one call of a stage.
class Lease {
 public:
  /// REQUIRES: this thread holds Python's lock, here and below.
  explicit Lease(std::span<const std::byte> bytes);
  /// An object that exports the bytes, read-only; whatever looks at them keeps it.
  PyObject* exporter() const { return exporter_.get(); }
  /// Whether something still looks at the bytes. Collects garbage if it seems so.
  bool is_kept() const;
  /// Nothing can look at the bytes through the exporter from now on; what does so already goes on.
  void end();

 private:
  Reference exporter_;
};

}  // namespace pystream::python
