#pragma once

#include <Python.h>

#include <exception>
#include <string>

#include "python/core/reference.hpp"

namespace pystream::python {

/// A Python exception on its way through C++ code to the Python code that gets it.
class PythonError final : public std::exception {
 public:
  /// Takes the exception that is set. REQUIRES: there is one, and this thread holds the lock.
  PythonError();
  const char* what() const noexcept override { return text_.c_str(); }
  /// Sets it again. REQUIRES: this thread holds the lock.
  void restore() const;
  /// The exception, its traceback included.
  PyObject* exception() const { return exception_.get(); }

 private:
  Reference exception_;
  std::string text_;
};

/// "ValueError: no", and behind it the traceback. REQUIRES: this thread holds the lock.
std::string text_with_traceback(PyObject* exception);

/// Throws PythonError if `result`, which a function of Python's C API gave, is null.
PyObject* checked(PyObject* result);
/// Throws PythonError if `result` is negative.
int checked(int result);

/// For a call that nobody can be told of: a Ctrl-C is kept for the next bytecode, everything else is written to
/// standard error. REQUIRES: an exception is set.
void put_error_aside();

/// Where a stage of this process is run by the user's own calls, its exceptions come out of them as they are. Elsewhere
/// what is known of them is text. `sentence`: what could not be done, in front of it; may be empty.
[[noreturn]] void throw_from_stage(const PythonError& error, const std::string& sentence, bool as_it_is);

}  // namespace pystream::python
