#include "python/core/attributes.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <vector>

#include "python/core/errors.hpp"

namespace pystream::python {
namespace {

/// Size of the pickle behind it; written last, so that a worker that is killed in between leaves none.
using Size = std::uint64_t;

bool write_all(int fd, const void* from, std::size_t size, off_t at) {
  const auto* bytes = static_cast<const char*>(from);
  while (size > 0) {
    const ssize_t written = ::pwrite(fd, bytes, size, at);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    bytes += written;
    at += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

bool read_all(int fd, void* to, std::size_t size, off_t at) {
  auto* bytes = static_cast<char*>(to);
  while (size > 0) {
    const ssize_t got = ::pread(fd, bytes, size, at);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return false;
    }
    bytes += got;
    at += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

PyObject* call_helper(const char* name, PyObject* first, PyObject* second) {
  const Reference module = Reference::stolen(checked(PyImport_ImportModule("pystream._attributes")));
  const Reference function = Reference::stolen(checked(PyObject_GetAttrString(module.get(), name)));
  return checked(PyObject_CallFunctionObjArgs(function.get(), first, second, nullptr));
}

}  // namespace

AttributeBox::AttributeBox() : fd_(::memfd_create("pystream-attributes", MFD_CLOEXEC)) {
  if (fd_ < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a place for the attributes of a stage");
  }
}

AttributeBox::~AttributeBox() {
  ::close(fd_);
}

void AttributeBox::put(PyObject* stage) const {
  const Reference pickle = Reference::stolen(call_helper("pickled", stage, nullptr));
  const auto size = static_cast<Size>(PyBytes_GET_SIZE(pickle.get()));
  if (!write_all(fd_, PyBytes_AS_STRING(pickle.get()), size, sizeof(Size)) || !write_all(fd_, &size, sizeof(size), 0)) {
    throw std::system_error(errno, std::generic_category(), "cannot keep the attributes of a stage");
  }
}

void AttributeBox::take(PyObject* stage) const {
  Size size = 0;
  if (!read_all(fd_, &size, sizeof(size), 0) || size == 0) {
    return;
  }
  struct stat file {};
  if (::fstat(fd_, &file) != 0 || static_cast<std::uint64_t>(file.st_size) < sizeof(Size) + size) {
    return;
  }
  const Reference pickle =
      Reference::stolen(checked(PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size))));
  if (read_all(fd_, PyBytes_AS_STRING(pickle.get()), size, sizeof(Size))) {
    const Reference done = Reference::stolen(call_helper("restore", stage, pickle.get()));
  }
}

}  // namespace pystream::python
