#include "python/core/numpy.hpp"

#include <bit>
#include <string>

#include "python/core/errors.hpp"

namespace pystream::python::numpy {
namespace {

/// Never freed: it is needed until the interpreter's end.
struct Functions {
  PyObject* array_type = nullptr;
  PyObject* dtype = nullptr;
  PyObject* empty = nullptr;
  PyObject* ascontiguousarray = nullptr;
};

PyObject* attribute(PyObject* module, const char* name) {
  return checked(PyObject_GetAttrString(module, name));
}

Functions functions_of(PyObject* module) {
  return {.array_type = attribute(module, "ndarray"),
          .dtype = attribute(module, "dtype"),
          .empty = attribute(module, "empty"),
          .ascontiguousarray = attribute(module, "ascontiguousarray")};
}

/// nullptr: nobody has imported it.
const Functions* if_imported() {
  static Functions functions;
  if (functions.array_type == nullptr) {
    const Reference name = Reference::stolen(checked(PyUnicode_FromString("numpy")));
    const Reference module = Reference::stolen(PyImport_GetModule(name.get()));
    if (!module) {
      if (PyErr_Occurred() != nullptr) {
        throw PythonError();
      }
      return nullptr;
    }
    const Reference type = Reference::stolen(PyObject_GetAttrString(module.get(), "ndarray"));
    if (!type) {  // it is being imported just now
      PyErr_Clear();
      return nullptr;
    }
    functions = functions_of(module.get());
  }
  return &functions;
}

const Functions& imported() {
  const Functions* functions = if_imported();
  if (functions == nullptr) {
    const Reference module = Reference::stolen(checked(PyImport_ImportModule("numpy")));
    functions = if_imported();
    if (functions == nullptr) {
      PyErr_SetString(PyExc_ImportError, "numpy is not complete");
      throw PythonError();
    }
  }
  return *functions;
}

char first_letter(PyObject* object, const char* name) {
  const Reference text = Reference::stolen(checked(PyObject_GetAttrString(object, name)));
  const char* letters = PyUnicode_AsUTF8(text.get());
  if (letters == nullptr) {
    throw PythonError();
  }
  return letters[0];
}

bool is_other_order(char order) {
  const char own = std::endian::native == std::endian::little ? '<' : '>';
  return (order == '<' || order == '>') && order != own;
}

std::optional<ElementType> read_element_type(PyObject* dtype) {
  const char kind = first_letter(dtype, "kind");
  if (std::string_view("biufc").find(kind) == std::string_view::npos) {
    return std::nullopt;
  }
  const Reference size = Reference::stolen(checked(PyObject_GetAttrString(dtype, "itemsize")));
  const long bytes = PyLong_AsLong(size.get());
  if (bytes < 0 && PyErr_Occurred() != nullptr) {
    throw PythonError();
  }
  return ElementType{.kind = kind,
                     .bytes = static_cast<std::uint32_t>(bytes),
                     .swapped = is_other_order(first_letter(dtype, "byteorder"))};
}

/// The numpy type of these elements; a new reference.
Reference dtype_of(const ElementType& type) {
  static ElementType last_type{.kind = 0};
  static PyObject* last = nullptr;  // never freed at the end
  if (last == nullptr || !(last_type == type)) {
    const bool little = (std::endian::native == std::endian::little) != type.swapped;
    const std::string text = std::string(little ? "<" : ">") + type.kind + std::to_string(type.bytes);
    PyObject* made = checked(PyObject_CallFunction(imported().dtype, "s", text.c_str()));
    Py_XDECREF(last);
    last = made;
    last_type = type;
  }
  return Reference::borrowed(last);
}

Reference tuple_of(const std::vector<std::int64_t>& numbers) {
  Reference tuple = Reference::stolen(checked(PyTuple_New(static_cast<Py_ssize_t>(numbers.size()))));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), checked(PyLong_FromLongLong(numbers[i])));
  }
  return tuple;
}

}  // namespace

bool is_array(PyObject* object) {
  const Functions* functions = if_imported();
  return functions != nullptr && reinterpret_cast<PyObject*>(Py_TYPE(object)) == functions->array_type;
}

std::optional<ElementType> element_type_of(PyObject* array) {
  static PyObject* last_dtype = nullptr;  // kept, so that no other one gets its address
  static std::optional<ElementType> last_type;
  const Reference dtype = Reference::stolen(checked(PyObject_GetAttrString(array, "dtype")));
  if (dtype.get() != last_dtype) {
    last_type = read_element_type(dtype.get());
    Py_XDECREF(last_dtype);
    last_dtype = Reference(dtype).release();
  }
  return last_type;
}

PyObject* without_gaps(PyObject* array) {
  return checked(PyObject_CallFunctionObjArgs(imported().ascontiguousarray, array, nullptr));
}

PyObject* new_array(const ArrayShape& shape) {
  const Functions& numpy = imported();
  const Reference sizes = tuple_of(shape.sizes);
  const Reference dtype = dtype_of(shape.type);
  return checked(PyObject_CallFunction(numpy.empty, "OOs", sizes.get(), dtype.get(), shape.is_rows() ? "C" : "F"));
}

PyObject* view_of(PyObject* buffer, std::size_t offset, const ArrayShape& shape) {
  const Functions& numpy = imported();
  const Reference sizes = tuple_of(shape.sizes);
  const Reference strides = tuple_of(shape.strides);
  const Reference dtype = dtype_of(shape.type);
  return checked(PyObject_CallFunction(numpy.array_type, "OOOnO", sizes.get(), dtype.get(), buffer,
                                       static_cast<Py_ssize_t>(offset), strides.get()));
}

}  // namespace pystream::python::numpy
