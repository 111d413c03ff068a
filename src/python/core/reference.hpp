#pragma once

#include <Python.h>

#include <utility>

#include "python/core/gil.hpp"

namespace pystream::python {

/// Owns a reference to a Python object. Copies and the end of one take Python's lock if this thread does not have it;
/// moves need none.
class Reference {
 public:
  Reference() = default;
  static Reference stolen(PyObject* object) { return Reference(object); }
  /// REQUIRES: this thread holds the lock.
  static Reference borrowed(PyObject* object) {
    Py_XINCREF(object);
    return Reference(object);
  }
  Reference(const Reference& other) : object_(other.object_) {
    if (object_ != nullptr) {
      const Gil gil;
      Py_INCREF(object_);
    }
  }
  Reference(Reference&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Reference& operator=(Reference other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Reference() {
    // At the very end of the interpreter nothing can be freed any more.
    if (object_ != nullptr && Py_IsInitialized() != 0) {
      const Gil gil;
      Py_DECREF(object_);
    }
  }

  PyObject* get() const { return object_; }
  [[nodiscard]] PyObject* release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  explicit Reference(PyObject* object) : object_(object) {}

  PyObject* object_ = nullptr;
};

}  // namespace pystream::python
