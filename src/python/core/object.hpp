#pragma once

#include <Python.h>

#include <optional>
#include <pystream/codec.hpp>
#include <string>
#include <utility>

#include "python/core/encoding.hpp"
#include "python/core/reference.hpp"

namespace pystream::python {

/// A Python object as an item: within a process it is handed on as it is, to other processes go its bytes.
class Object {
 public:
  Object() = default;
  explicit Object(Reference object) : object_(std::move(object)) {}
  Object(const Object& other) : object_(other.object_) {}
  Object(Object&&) noexcept = default;
  Object& operator=(Object other) noexcept {
    encoding_ = std::move(other.encoding_);
    object_ = std::move(other.object_);
    return *this;
  }
  ~Object() = default;

  PyObject* get() const { return object_.get(); }
  /// Its bytes, made at the first call, which takes Python's lock. Throws PythonError if it cannot be pickled.
  const Encoding& encoding() const;

 private:
  Reference object_;
  mutable std::optional<Encoding> encoding_;  // goes before the object whose memory it looks at
};

}  // namespace pystream::python

template <>
struct pystream::Codec<pystream::python::Object> {
  using Object = pystream::python::Object;
  static std::string name() { return "any"; }
  static std::size_t size(const Object& object) { return object.encoding().size(); }
  static void encode(const Object& object, std::span<std::byte> to) { object.encoding().write(to); }
  static Object decode(std::span<const std::byte> from);
};
