#include "python/core/array_memory.hpp"

#include <utility>
#include <vector>

#include "python/core/errors.hpp"
#include "python/core/numpy.hpp"

namespace pystream::python {

bool is_array_of_numbers(PyObject* object) {
  return numpy::is_array(object) && numpy::element_type_of(object).has_value();
}

ArrayMemory::ArrayMemory(PyObject* array) {
  if (!is_array_of_numbers(array)) {
    PyErr_Format(PyExc_TypeError, "found %s, expected a numpy array of numbers", Py_TYPE(array)->tp_name);
    throw PythonError();
  }
  const ElementType type = *numpy::element_type_of(array);
  bool rows = look_at(array);
  if (!rows && PyBuffer_IsContiguous(&view_, 'F') == 0) {
    PyBuffer_Release(&view_);
    copy_ = Reference::stolen(numpy::without_gaps(array));
    rows = look_at(copy_.get());
  }
  std::vector<std::int64_t> sizes(view_.shape, view_.shape + view_.ndim);
  shape_ = rows ? ArrayShape::rows(type, std::move(sizes)) : ArrayShape::columns(type, std::move(sizes));
}

/// Whether its elements lie row after row.
bool ArrayMemory::look_at(PyObject* array) {
  checked(PyObject_GetBuffer(array, &view_, PyBUF_STRIDES));
  return PyBuffer_IsContiguous(&view_, 'C') != 0;
}

ArrayMemory::~ArrayMemory() {
  if (Py_IsInitialized() != 0) {
    const Gil gil;
    PyBuffer_Release(&view_);
  }
}

}  // namespace pystream::python
