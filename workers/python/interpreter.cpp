#include "python/interpreter.hpp"

#include <dlfcn.h>

#include <filesystem>
#include <pystream/error.hpp>
#include <system_error>
#include <variant>

namespace pystream::python {
namespace {

namespace fs = std::filesystem;

/// Something whose address lies in this plugin.
const char kAnchor = 0;

/// Owns a reference.
class Ref {
 public:
  explicit Ref(PyObject* object) : object_(object) {}
  ~Ref() { Py_XDECREF(object_); }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_;
};

std::string utf8_of(PyObject* text) {
  const char* bytes = text != nullptr ? PyUnicode_AsUTF8(text) : nullptr;
  if (bytes == nullptr) {
    PyErr_Clear();
    return "unknown reason";
  }
  return bytes;
}

/// The exception that is set, with its traceback.
std::string taken_error() {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr && value != nullptr) {
    PyException_SetTraceback(value, traceback);
  }
  const Ref kept_type(type);
  const Ref kept_value(value);
  const Ref kept_traceback(traceback);
  const Ref module(PyImport_ImportModule("traceback"));
  const Ref lines(module && value != nullptr ? PyObject_CallMethod(module.get(), "format_exception", "O", value)
                                             : nullptr);
  const Ref empty(PyUnicode_FromString(""));
  const Ref text(lines && empty ? PyUnicode_Join(empty.get(), lines.get()) : nullptr);
  if (!text) {
    PyErr_Clear();
  }
  return utf8_of(text.get());
}

PyObject* checked(PyObject* object) {
  if (object == nullptr) {
    throw Error(taken_error());
  }
  return object;
}

/// The folder of the package: beside this plugin in the build, or where it is installed, also of a tree that was moved.
std::vector<fs::path> package_folders() {
  Dl_info info{};
  if (::dladdr(&kAnchor, &info) == 0 || info.dli_fname == nullptr) {
    return {};
  }
  std::error_code error;
  const fs::path here = fs::canonical(info.dli_fname, error).parent_path();
  return {here / "../../src/python", here / fs::path(PYSTREAM_PYTHON_DIR).lexically_relative(PYSTREAM_PLUGIN_DIR),
          PYSTREAM_PYTHON_DIR};
}

/// Modules in C expect Python's functions among those that the whole process sees; a plugin's libraries are not.
void show_python_to_all() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(&Py_InitializeFromConfig), &info) != 0 && info.dli_fname != nullptr) {
    ::dlopen(info.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  }
}

void require(const PyStatus& status, const char* what) {
  if (PyStatus_Exception(status) != 0) {
    throw Error(std::string("Python cannot be started: ") + what + ": " +
                (status.err_msg != nullptr ? status.err_msg : "unknown reason"));
  }
}

void initialise(const std::string& program) {
  PyConfig config;
  PyConfig_InitPythonConfig(&config);
  config.install_signal_handlers = 0;  // a worker has its own
  config.parse_argv = 0;
  const std::string chosen = program.empty() ? PYSTREAM_PYTHON_PROGRAM : program;
  PyStatus status = PyConfig_SetBytesString(&config, &config.program_name, chosen.c_str());
  if (PyStatus_Exception(status) == 0) {
    status = Py_InitializeFromConfig(&config);
  }
  PyConfig_Clear(&config);
  require(status, chosen.c_str());
}

void search_in(const std::vector<std::string>& path) {
  PyObject* folders = PySys_GetObject("path");  // borrowed
  Py_ssize_t at = 0;
  for (const std::string& folder : path) {
    const Ref text(checked(PyUnicode_DecodeFSDefault(folder.c_str())));
    if (folders == nullptr || PyList_Insert(folders, at++, text.get()) != 0) {
      throw Error(taken_error());
    }
  }
  for (const fs::path& folder : package_folders()) {
    const Ref text(checked(PyUnicode_DecodeFSDefault(folder.lexically_normal().c_str())));
    if (folders == nullptr || PyList_Append(folders, text.get()) != 0) {
      throw Error(taken_error());
    }
  }
}

PyObject* object_of(const ParamValue& value);

PyObject* object_of(const ParamList& list) {
  PyObject* made = checked(PyList_New(0));
  for (const ParamValue& each : list) {
    const Ref object(object_of(each));
    PyList_Append(made, object.get());
  }
  return made;
}

PyObject* object_of(const ParamMap& map) {
  PyObject* made = checked(PyDict_New());
  for (const auto& [name, value] : map) {
    const Ref object(object_of(value));
    PyDict_SetItemString(made, name.c_str(), object.get());
  }
  return made;
}

struct ObjectMaker {
  PyObject* operator()(std::monostate) const { return Py_NewRef(Py_None); }
  PyObject* operator()(bool value) const { return checked(PyBool_FromLong(value ? 1 : 0)); }
  PyObject* operator()(std::int64_t value) const { return checked(PyLong_FromLongLong(value)); }
  PyObject* operator()(double value) const { return checked(PyFloat_FromDouble(value)); }
  PyObject* operator()(const std::string& value) const {
    return checked(PyUnicode_DecodeUTF8(value.data(), static_cast<Py_ssize_t>(value.size()), "strict"));
  }
  PyObject* operator()(const ParamList& value) const { return object_of(value); }
  PyObject* operator()(const ParamMap& value) const { return object_of(value); }
};

PyObject* object_of(const ParamValue& value) {
  return std::visit(
      ObjectMaker(),
      static_cast<const std::variant<std::monostate, bool, std::int64_t, double, std::string, ParamList, ParamMap>&>(
          value));
}

}  // namespace

void start_python(const std::string& program, const std::vector<std::string>& path) {
  if (Py_IsInitialized() != 0) {
    return;
  }
  show_python_to_all();
  initialise(program);
  try {
    search_in(path);
  } catch (...) {
    PyEval_SaveThread();
    throw;
  }
  PyEval_SaveThread();  // nobody holds the lock between items
}

void* call_for_capsule(const char* function, const Params& params, const char* capsule) {
  const Lock lock;
  const Ref module(checked(PyImport_ImportModule("pystream._worker")));
  const Ref callable(checked(PyObject_GetAttrString(module.get(), function)));
  const Ref positional(checked(PyTuple_New(0)));
  const Ref named(object_of(params.values()));
  PyObject* made = checked(PyObject_Call(callable.get(), positional.get(), named.get()));
  void* pointer = PyCapsule_GetPointer(made, capsule);
  if (pointer == nullptr) {
    throw Error(taken_error());
  }
  return pointer;
}

}  // namespace pystream::python
