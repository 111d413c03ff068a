#include "python/core/encoding.hpp"

#include <bit>
#include <cstring>
#include <optional>

#include "python/core/array_memory.hpp"
#include "python/core/errors.hpp"
#include "python/core/pickle.hpp"

namespace pystream::python {
namespace {

std::span<const std::byte> bytes_of(const Py_buffer& view) {
  return {static_cast<const std::byte*>(view.buf), static_cast<std::size_t>(view.len)};
}

void copy(std::span<std::byte> to, std::size_t at, std::span<const std::byte> from) {
  if (!from.empty()) {
    std::memcpy(to.data() + at, from.data(), from.size());
  }
}

/// Zeros from `at` up to the next multiple of kAlign; where that is.
std::size_t fill_up(std::span<std::byte> to, std::size_t at) {
  const std::size_t end = std::min(filled_up(at), to.size());
  std::memset(to.data() + at, 0, end - at);
  return end;
}

}  // namespace

struct Encoding::Large {
  std::optional<ArrayMemory> array;
  std::optional<Pickled> pickled;
};

Encoding::Encoding(Encoding&&) noexcept = default;
Encoding& Encoding::operator=(Encoding&&) noexcept = default;
Encoding::~Encoding() = default;

Encoding::Encoding(PyObject* object) {
  if (object == Py_None) {
    set_value(FrameKind::none, 0);
  } else if (PyBool_Check(object) != 0) {
    set_value(FrameKind::boolean, object == Py_True ? 1 : 0);
  } else if (PyFloat_CheckExact(object)) {
    set_value(FrameKind::floating, std::bit_cast<std::uint64_t>(PyFloat_AS_DOUBLE(object)));
  } else if (PyBytes_CheckExact(object)) {
    set_bytes(FrameKind::bytes, PyBytes_AS_STRING(object), PyBytes_GET_SIZE(object));
  } else if (!set_integer(object) && !set_text(object) && !set_array(object)) {
    set_pickle(object);
  }
}

void Encoding::set_bytes(FrameKind kind, const char* bytes, Py_ssize_t size) {
  bytes_ = std::as_bytes(std::span(bytes, static_cast<std::size_t>(size)));
  head_ = {.body = bytes_.size(), .kind = kind};
  size_ = sizeof(FrameHead) + bytes_.size();
}

/// False also for one that has more than 64 bits.
bool Encoding::set_integer(PyObject* object) {
  if (!PyLong_CheckExact(object)) {
    return false;
  }
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow != 0) {
    return false;
  }
  set_value(FrameKind::integer, static_cast<std::uint64_t>(value));
  return true;
}

/// False also for text with half surrogates, which UTF-8 does not have.
bool Encoding::set_text(PyObject* object) {
  if (!PyUnicode_CheckExact(object)) {
    return false;
  }
  Py_ssize_t size = 0;
  const char* bytes = PyUnicode_AsUTF8AndSize(object, &size);
  if (bytes == nullptr) {
    PyErr_Clear();
    return false;
  }
  set_bytes(FrameKind::text, bytes, size);
  return true;
}

bool Encoding::set_array(PyObject* object) {
  if (!is_array_of_numbers(object)) {
    return false;
  }
  large_ = std::make_unique<Large>();
  const ArrayMemory& array = large_->array.emplace(object);
  bytes_ = array.bytes();
  head_.kind = FrameKind::array;
  size_ = array_item_bytes(array.shape());
  return true;
}

void Encoding::set_pickle(PyObject* object) {
  large_ = std::make_unique<Large>();
  const Pickled& pickled = large_->pickled.emplace(pickle(object));
  size_ = filled_up(sizeof(FrameHead) + sizeof(PickleHead) + pickled.buffers.size() * sizeof(std::uint64_t));
  size_ = filled_up(size_ + pickled.size());
  for (const Py_buffer* buffer : pickled.buffers) {
    size_ = filled_up(size_ + static_cast<std::size_t>(buffer->len));
  }
  head_ = {.body = size_ - sizeof(FrameHead), .kind = FrameKind::pickled};
}

void Encoding::write(std::span<std::byte> to) const {
  if (head_.kind == FrameKind::array) {
    copy(open_array_item(to, large_->array->shape()), 0, bytes_);
    return;
  }
  std::memcpy(to.data(), &head_, sizeof(head_));
  if (head_.kind == FrameKind::pickled) {
    write_pickle(to);
  } else {
    copy(to, sizeof(head_), bytes_);
  }
}

void Encoding::write_pickle(std::span<std::byte> to) const {
  const Pickled& pickled = *large_->pickled;
  const PickleHead head{.pickle_bytes = pickled.size(), .buffers = static_cast<std::uint32_t>(pickled.buffers.size())};
  std::size_t at = sizeof(FrameHead);
  std::memcpy(to.data() + at, &head, sizeof(head));
  at += sizeof(head);
  for (const Py_buffer* buffer : pickled.buffers) {
    const auto size = static_cast<std::uint64_t>(buffer->len);
    std::memcpy(to.data() + at, &size, sizeof(size));
    at += sizeof(size);
  }
  at = fill_up(to, at);
  copy(to, at, pickled.bytes());
  at = fill_up(to, at + pickled.size());
  for (const Py_buffer* buffer : pickled.buffers) {
    copy(to, at, bytes_of(*buffer));
    at = fill_up(to, at + static_cast<std::size_t>(buffer->len));
  }
}

}  // namespace pystream::python
