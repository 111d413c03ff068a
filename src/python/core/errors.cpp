#include "python/core/errors.hpp"

#include <pystream/error.hpp>
#include <utility>

namespace pystream::python {
namespace {

/// REQUIRES: an exception is set.
Reference taken_exception() {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr && value != nullptr) {
    PyException_SetTraceback(value, traceback);
  }
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  return Reference::stolen(value);
}

std::string utf8_of(PyObject* text) {
  Py_ssize_t size = 0;
  if (const char* bytes = PyUnicode_AsUTF8AndSize(text, &size)) {
    return {bytes, static_cast<std::size_t>(size)};
  }
  PyErr_Clear();
  const Reference escaped = Reference::stolen(PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace"));
  if (!escaped) {
    PyErr_Clear();
    return "?";
  }
  return PyBytes_AS_STRING(escaped.get());
}

/// "ValueError: no". What str() of an exception throws is left out.
std::string short_text(PyObject* exception) {
  std::string text = Py_TYPE(exception)->tp_name;
  const Reference message = Reference::stolen(PyObject_Str(exception));
  if (!message) {
    PyErr_Clear();
    return text;
  }
  const std::string said = utf8_of(message.get());
  return said.empty() ? text : text + ": " + said;
}

bool is_stage_broken(PyObject* exception) {
  const Reference module = Reference::stolen(PyImport_ImportModule("pystream.utils.errors"));
  const Reference type = Reference::stolen(module ? PyObject_GetAttrString(module.get(), "StageBroken") : nullptr);
  const int is_one = type && exception != nullptr ? PyObject_IsInstance(exception, type.get()) : 0;
  PyErr_Clear();
  return is_one == 1;
}

}  // namespace

PythonError::PythonError() : exception_(taken_exception()) {
  text_ = exception_ ? short_text(exception_.get()) : "an error that Python does not tell";
}

void PythonError::restore() const {
  if (!exception_) {
    PyErr_SetString(PyExc_SystemError, text_.c_str());
    return;
  }
  PyObject* exception = exception_.get();
  Py_INCREF(exception);
  Py_INCREF(Py_TYPE(exception));
  PyErr_Restore(reinterpret_cast<PyObject*>(Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
}

std::string text_with_traceback(PyObject* exception) {
  const std::string line = short_text(exception);
  const Reference module = Reference::stolen(PyImport_ImportModule("traceback"));
  const Reference lines =
      Reference::stolen(module ? PyObject_CallMethod(module.get(), "format_exception", "O", exception) : nullptr);
  const Reference empty = Reference::stolen(PyUnicode_FromString(""));
  const Reference text = Reference::stolen(lines && empty ? PyUnicode_Join(empty.get(), lines.get()) : nullptr);
  if (!text) {
    PyErr_Clear();
    return line;
  }
  std::string all = utf8_of(text.get());
  while (!all.empty() && all.back() == '\n') {
    all.pop_back();
  }
  return line + "\n" + all;
}

PyObject* checked(PyObject* result) {
  if (result == nullptr) {
    throw PythonError();
  }
  return result;
}

int checked(int result) {
  if (result < 0) {
    throw PythonError();
  }
  return result;
}

void put_error_aside() {
  if (PyErr_ExceptionMatches(PyExc_KeyboardInterrupt) != 0) {
    PyErr_Clear();
    PyErr_SetInterrupt();
  } else {
    PyErr_WriteUnraisable(nullptr);
  }
}

void throw_from_stage(const PythonError& error, const std::string& sentence, bool as_it_is) {
  if (as_it_is) {
    throw error;
  }
  const Gil gil;
  if (is_stage_broken(error.exception())) {
    throw StageBroken(error.what());
  }
  throw Error(sentence + (error.exception() != nullptr ? text_with_traceback(error.exception()) : error.what()));
}

}  // namespace pystream::python
