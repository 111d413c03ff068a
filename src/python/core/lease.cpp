#include "python/core/lease.hpp"

#include "python/core/errors.hpp"

namespace pystream::python {
namespace {

struct Exporter {
  PyObject_HEAD const void* bytes;
  Py_ssize_t size;
};

int export_bytes(PyObject* self, Py_buffer* view, int flags) {
  const auto* exporter = reinterpret_cast<Exporter*>(self);
  if (exporter->bytes == nullptr) {
    PyErr_SetString(PyExc_BufferError, "the item of this view is no longer there: its stage's call is over");
    return -1;
  }
  return PyBuffer_FillInfo(view, self, const_cast<void*>(exporter->bytes), exporter->size, 1, flags);
}

PyType_Slot g_slots[] = {
    {Py_bf_getbuffer, reinterpret_cast<void*>(export_bytes)},
    {0, nullptr},
};

PyType_Spec g_spec = {
    .name = "pystream._core.Lease",
    .basicsize = sizeof(Exporter),
    .itemsize = 0,
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = g_slots,
};

PyObject* g_type = nullptr;

}  // namespace

void prepare_leases() {
  if (g_type == nullptr) {
    g_type = checked(PyType_FromSpec(&g_spec));
  }
}

Lease::Lease(std::span<const std::byte> bytes)
    : exporter_(Reference::stolen(checked(PyType_GenericAlloc(reinterpret_cast<PyTypeObject*>(g_type), 0)))) {
  auto* exporter = reinterpret_cast<Exporter*>(exporter_.get());
  exporter->bytes = bytes.data();
  exporter->size = static_cast<Py_ssize_t>(bytes.size());
}

bool Lease::is_kept() const {
  if (Py_REFCNT(exporter_.get()) > 1) {
    PyGC_Collect();  // an exception that was caught keeps the frames that it went through
  }
  return Py_REFCNT(exporter_.get()) > 1;
}

void Lease::end() {
  reinterpret_cast<Exporter*>(exporter_.get())->bytes = nullptr;
}

}  // namespace pystream::python
