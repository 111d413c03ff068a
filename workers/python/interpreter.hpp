#pragma once

#include <Python.h>

#include <pystream/params.hpp>
#include <string>
#include <vector>

namespace pystream::python {

/// Starts Python in this worker, once, and finds the package pystream in it. `program`: the interpreter whose libraries
/// are used; empty: the one that this plugin was built for. `path`: folders to search for modules first. Throws Error.
void start_python(const std::string& program, const std::vector<std::string>& path);

/// Holds Python's global lock while it lives.
class Lock {
 public:
  Lock() : state_(PyGILState_Ensure()) {}
  ~Lock() { PyGILState_Release(state_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  PyGILState_STATE state_;
};

/// Calls a function of the package's module _worker with the parameters as keyword arguments; it gives a capsule of
/// this name, whose pointer comes back and is never freed: the stage lives as long as its worker. Throws Error with the
/// traceback. REQUIRES: start_python() was called.
void* call_for_capsule(const char* function, const Params& params, const char* capsule);

}  // namespace pystream::python
