#include "python/core/decoding.hpp"

#include <bit>
#include <cstring>
#include <pystream/array.hpp>
#include <pystream/codec.hpp>
#include <pystream/error.hpp>
#include <string>

#include "python/core/errors.hpp"
#include "python/core/frame.hpp"
#include "python/core/image.hpp"
#include "python/core/lease.hpp"
#include "python/core/numpy.hpp"
#include "python/core/pickle.hpp"
#include "python/core/reference.hpp"

namespace pystream::python {
namespace {

constexpr std::size_t kWorthUnlocking = 64 << 10;  ///< bytes; less is copied before another thread could begin

template <class T>
T load(std::span<const std::byte> from, std::size_t at) {
  T value;
  std::memcpy(&value, from.data() + at, sizeof(value));
  return value;
}

[[noreturn]] void refuse(std::size_t size, const std::string& why) {
  throw PayloadError("found an item of " + std::to_string(size) + " bytes that is no Python object: " + why);
}

void copy(void* to, std::span<const std::byte> from) {
  if (from.size() < kWorthUnlocking) {
    if (!from.empty()) {
      std::memcpy(to, from.data(), from.size());
    }
    return;
  }
  const WithoutGil unlocked;
  std::memcpy(to, from.data(), from.size());
}

/// Where the part of a leased item lies in it.
std::size_t offset_in(std::span<const std::byte> item, std::span<const std::byte> part) {
  return static_cast<std::size_t>(part.data() - item.data());
}

PyObject* array_of(const ArrayShape& shape, std::span<const std::byte> item, std::span<const std::byte> elements,
                   const Lease* lease) {
  if (lease != nullptr) {
    return numpy::view_of(lease->exporter(), offset_in(item, elements), shape);
  }
  Reference array = Reference::stolen(numpy::new_array(shape));
  Py_buffer view{};
  checked(PyObject_GetBuffer(array.get(), &view, PyBUF_STRIDES | PyBUF_WRITABLE));
  copy(view.buf, elements);
  PyBuffer_Release(&view);
  return array.release();
}

/// An object that exports the memory of one part of a pickle.
Reference buffer_of(std::span<const std::byte> item, std::span<const std::byte> part, const Lease* lease) {
  if (lease != nullptr) {
    const Reference all = Reference::stolen(checked(PyMemoryView_FromObject(lease->exporter())));
    const auto from = static_cast<Py_ssize_t>(offset_in(item, part));
    const Reference start = Reference::stolen(checked(PyLong_FromSsize_t(from)));
    const Reference end = Reference::stolen(checked(PyLong_FromSsize_t(from + static_cast<Py_ssize_t>(part.size()))));
    const Reference slice = Reference::stolen(checked(PySlice_New(start.get(), end.get(), nullptr)));
    return Reference::stolen(checked(PyObject_GetItem(all.get(), slice.get())));
  }
  Reference bytes =
      Reference::stolen(checked(PyByteArray_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(part.size()))));
  copy(PyByteArray_AS_STRING(bytes.get()), part);
  return bytes;
}

PyObject* unpickled(std::span<const std::byte> item, const Lease* lease) {
  if (item.size() < sizeof(FrameHead) + sizeof(PickleHead)) {
    refuse(item.size(), "it ends inside the head of its pickle");
  }
  const auto head = load<PickleHead>(item, sizeof(FrameHead));
  const std::size_t sizes = sizeof(FrameHead) + sizeof(PickleHead);
  if (head.buffers > (item.size() - sizes) / sizeof(std::uint64_t)) {
    refuse(item.size(), "it claims " + std::to_string(head.buffers) + " buffers");
  }
  std::size_t at = filled_up(sizes + head.buffers * sizeof(std::uint64_t));
  const auto part = [&](std::uint64_t size) {
    if (at > item.size() || size > item.size() - at) {
      refuse(item.size(), "a part of " + std::to_string(size) + " bytes would end beyond it");
    }
    const std::span<const std::byte> bytes = item.subspan(at, size);
    at = filled_up(at + size);
    return bytes;
  };
  const std::span<const std::byte> stream = part(head.pickle_bytes);
  const Reference buffers = Reference::stolen(checked(PyList_New(0)));
  for (std::uint32_t i = 0; i < head.buffers; ++i) {
    const auto size = load<std::uint64_t>(item, sizes + i * sizeof(std::uint64_t));
    const Reference buffer = buffer_of(item, part(size), lease);
    checked(PyList_Append(buffers.get(), buffer.get()));
  }
  return unpickle(stream, buffers.get());
}

PyObject* frame_of(const FrameHead& head, std::span<const std::byte> item, const Lease* lease) {
  const std::span<const std::byte> body = item.subspan(sizeof(head));
  const bool is_value = head.kind <= FrameKind::floating;
  if (is_value ? !body.empty() : head.body != body.size()) {
    refuse(item.size(), "it claims " + std::to_string(is_value ? 0 : head.body) + " bytes behind its head");
  }
  const auto* letters = reinterpret_cast<const char*>(body.data());
  const auto size = static_cast<Py_ssize_t>(body.size());
  switch (head.kind) {
    case FrameKind::none:
      return Reference::borrowed(Py_None).release();
    case FrameKind::boolean:
      return checked(PyBool_FromLong(head.body != 0 ? 1 : 0));
    case FrameKind::integer:
      return checked(PyLong_FromLongLong(static_cast<long long>(head.body)));
    case FrameKind::floating:
      return checked(PyFloat_FromDouble(std::bit_cast<double>(head.body)));
    case FrameKind::text:
      return checked(PyUnicode_DecodeUTF8(letters, size, "strict"));
    case FrameKind::bytes:
      return checked(PyBytes_FromStringAndSize(letters, size));
    case FrameKind::pickled:
      return unpickled(item, lease);
    case FrameKind::array: {
      const ArrayView view(item);
      return array_of(view.shape(), item, view.bytes(), lease);
    }
  }
  refuse(item.size(), "it is of the unknown kind " + std::to_string(static_cast<int>(head.kind)));
}

PyObject* tuple_of(const std::vector<std::span<const std::byte>>& parts) {
  Reference tuple = Reference::stolen(checked(PyTuple_New(static_cast<Py_ssize_t>(parts.size()))));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), decoded(parts[i]));
  }
  return tuple.release();
}

/// A zipped item begins with the size of its first part and eight zeros, which no other item does.
bool begins_like_tuple(std::span<const std::byte> item) {
  return load<std::uint64_t>(item, sizeof(std::uint64_t)) == 0;
}

}  // namespace

PyObject* decoded(std::span<const std::byte> item, const Lease* lease) {
  if (item.size() < sizeof(FrameHead)) {
    refuse(item.size(), "it is shorter than the head of one");
  }
  if (const auto head = frame_head(item)) {
    return frame_of(*head, item, lease);
  }
  if (const auto image = image_in(item)) {
    return array_of(image->shape, item, image->pixels, lease);
  }
  if (begins_like_tuple(item)) {
    return tuple_of(tuple_parts(item));
  }
  refuse(item.size(), "it does not begin like one; say with takes=\"bytes\" or \"text\" what comes from a C++ stage");
}

}  // namespace pystream::python
