#pragma once

#include <Python.h>

#include <cstddef>
#include <memory>
#include <pystream/array.hpp>
#include <span>
#include <vector>

#include "python/core/frame.hpp"
#include "python/core/reference.hpp"

namespace pystream::python {

/// The bytes of a Python object, ready to be written into an item: what is large lies where the object has it until
/// then, so it is copied once.
class Encoding {
 public:
  /// Pickles where that is needed. Throws PythonError. REQUIRES: this thread holds Python's lock. The object outlives
  /// this and is not changed meanwhile.
  explicit Encoding(PyObject* object);
  Encoding(Encoding&&) noexcept;
  Encoding& operator=(Encoding&&) noexcept;
  ~Encoding();

  std::size_t size() const { return size_; }
  /// Needs no lock. REQUIRES: `to` has size() bytes.
  void write(std::span<std::byte> to) const;

 private:
  struct Large;  ///< of arrays and pickles

  void set_value(FrameKind kind, std::uint64_t value) { head_ = {.body = value, .kind = kind}; }
  void set_bytes(FrameKind kind, const char* bytes, Py_ssize_t size);
  bool set_integer(PyObject* object);
  bool set_text(PyObject* object);
  bool set_array(PyObject* object);
  void set_pickle(PyObject* object);
  void write_pickle(std::span<std::byte> to) const;

  FrameHead head_;
  std::size_t size_ = sizeof(FrameHead);
  std::span<const std::byte> bytes_{};  ///< of text and bytes; of an array its elements
  std::unique_ptr<Large> large_;
};

}  // namespace pystream::python
