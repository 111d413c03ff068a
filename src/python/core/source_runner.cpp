#include "python/core/source_runner.hpp"

#include <utility>

#include "python/core/errors.hpp"
#include "python/core/process.hpp"

namespace pystream::python {
namespace {

bool has_method(PyObject* object, const char* name) {
  const Reference method = Reference::stolen(PyObject_GetAttrString(object, name));
  if (!method) {
    PyErr_Clear();
  }
  return method && PyCallable_Check(method.get()) != 0;
}

}  // namespace

void SourceRunner::resume() {
  const Gil gil;
  try {
    if (has_method(source_.get(), "resume")) {
      const Reference done = Reference::stolen(checked(PyObject_CallMethod(source_.get(), "resume", "K", cursor())));
    } else {
      to_skip_ = cursor();
    }
  } catch (const PythonError& error) {
    throw_from_stage(error, "", false);
  }
}

/// REQUIRES: this thread holds Python's lock, here and below.
bool SourceRunner::open() {
  if (!iterator_) {
    const bool is_callable = PyCallable_Check(source_.get()) != 0;
    const Reference iterable = is_callable ? Reference::stolen(checked(PyObject_CallNoArgs(source_.get()))) : source_;
    iterator_ = Reference::stolen(checked(PyObject_GetIter(iterable.get())));
  }
  for (; to_skip_ > 0; --to_skip_) {
    if (!next()) {
      return false;
    }
  }
  return true;
}

/// Empty: the end.
Reference SourceRunner::next() {
  Reference item = Reference::stolen(PyIter_Next(iterator_.get()));
  if (!item && PyErr_Occurred() != nullptr) {
    throw PythonError();
  }
  return item;
}

bool SourceRunner::produce(Output& out) {
  try {
    Reference item;
    {
      const Gil gil;
      given_ = Object();
      if (!open()) {
        return false;
      }
      item = next();
    }
    if (!item) {
      return false;
    }
    ++cursor();
    Object object(std::move(item));
    out.emit(std::move(object));
    given_ = std::move(object);
    return true;
  } catch (const PythonError& error) {
    throw_from_stage(error, "", false);
  }
}

void SourceRunner::cleanup() {
  const Gil gil;
  given_ = Object();
  if (flags_ && flags_->abandoned()) {
    return;
  }
  try {
    if (has_method(source_.get(), "cleanup")) {
      const Reference done = Reference::stolen(checked(PyObject_CallMethod(source_.get(), "cleanup", nullptr)));
    }
    iterator_ = {};
    flush_output();
  } catch (const PythonError& error) {
    throw_from_stage(error, "", false);
  }
}

}  // namespace pystream::python
