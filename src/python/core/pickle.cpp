#include "python/core/pickle.hpp"

#include "python/core/errors.hpp"

namespace pystream::python {
namespace {

/// Never freed: it is needed until the interpreter's end.
PyObject* function(const char* name) {
  const Reference module = Reference::stolen(checked(PyImport_ImportModule("pickle")));
  return checked(PyObject_GetAttrString(module.get(), name));
}

}  // namespace

Pickled pickle(PyObject* object) {
  static PyObject* dumps = nullptr;  // no static initialiser with its lock: the import may give Python's lock away
  if (dumps == nullptr) {
    dumps = function("dumps");
  }
  Pickled pickled{.stream = {}, .parts = Reference::stolen(checked(PyList_New(0))), .buffers = {}};
  const Reference take = Reference::stolen(checked(PyObject_GetAttrString(pickled.parts.get(), "append")));
  const Reference positional = Reference::stolen(checked(Py_BuildValue("(Oi)", object, 5)));
  const Reference named = Reference::stolen(checked(Py_BuildValue("{sO}", "buffer_callback", take.get())));
  pickled.stream = Reference::stolen(checked(PyObject_Call(dumps, positional.get(), named.get())));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(pickled.parts.get()); ++i) {
    const Py_buffer* buffer = PyPickleBuffer_GetBuffer(PyList_GET_ITEM(pickled.parts.get(), i));
    if (buffer == nullptr) {
      throw PythonError();
    }
    pickled.buffers.push_back(buffer);
  }
  return pickled;
}

PyObject* unpickle(std::span<const std::byte> stream, PyObject* buffers) {
  static PyObject* loads = nullptr;
  if (loads == nullptr) {
    loads = function("loads");
  }
  const Reference view =
      Reference::stolen(checked(PyMemoryView_FromMemory(const_cast<char*>(reinterpret_cast<const char*>(stream.data())),
                                                        static_cast<Py_ssize_t>(stream.size()), PyBUF_READ)));
  const Reference positional = Reference::stolen(checked(PyTuple_Pack(1, view.get())));
  const Reference named = Reference::stolen(checked(Py_BuildValue("{sO}", "buffers", buffers)));
  return checked(PyObject_Call(loads, positional.get(), named.get()));
}

}  // namespace pystream::python
