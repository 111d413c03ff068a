#include "python/core/process.hpp"

#include <Python.h>

#include <pystream/crash.hpp>

#include "python/core/errors.hpp"
#include "python/core/gil.hpp"

// What faulthandler uses: async-signal-safe, exported by every version of Python, and in no header of the limited API.
extern "C" void _Py_DumpTraceback(int fd, PyThreadState* thread);

namespace pystream::python {
namespace {

bool g_worker = false;
PyGILState_STATE g_lock_before_fork = PyGILState_UNLOCKED;

void write_stack(int fd) {
  if (PyThreadState* thread = PyGILState_GetThisThreadState()) {
    _Py_DumpTraceback(fd, thread);
  }
}

void call_helper(const char* name) {
  const Reference module = Reference::stolen(PyImport_ImportModule("pystream._process"));
  const Reference result = Reference::stolen(module ? PyObject_CallMethod(module.get(), name, nullptr) : nullptr);
  if (!result) {
    put_error_aside();
  }
}

void before_fork() {
  g_lock_before_fork = PyGILState_Ensure();
  call_helper("before_fork");
  PyOS_BeforeFork();
}

void after_fork_in_parent() {
  PyOS_AfterFork_Parent();
  PyGILState_Release(g_lock_before_fork);
}

/// The coordinator between the user's process and this one has run no Python: for Python this is a child of the user's
/// process, and this thread, which was the one that forked, still holds the lock.
void after_fork_in_worker(bool takes_lines) {
  PyOS_AfterFork_Child();
  become_worker();
  if (takes_lines) {
    call_helper("use_standard_error");
  }
  PyGILState_Release(g_lock_before_fork);
}

}  // namespace

bool is_worker() {
  return g_worker;
}

void become_worker() {
  g_worker = true;
  set_stack_writer(write_stack);
  call_helper("become_worker");
}

void flush_output() {
  const Reference module = Reference::stolen(checked(PyImport_ImportModule("pystream._process")));
  const Reference done = Reference::stolen(checked(PyObject_CallMethod(module.get(), "flush", nullptr)));
}

ForkHooks fork_hooks(bool takes_lines) {
  return {.before = before_fork, .in_parent = after_fork_in_parent, .in_worker = [takes_lines] {
            after_fork_in_worker(takes_lines);
          }};
}

}  // namespace pystream::python
