#include "python/core/stage_runner.hpp"

#include <unistd.h>

#include <cstring>
#include <optional>
#include <pystream/error.hpp>
#include <string_view>
#include <utility>

#include "python/core/array_memory.hpp"
#include "python/core/decoding.hpp"
#include "python/core/errors.hpp"
#include "python/core/frame.hpp"
#include "python/core/image.hpp"
#include "python/core/lease.hpp"
#include "python/core/process.hpp"

namespace pystream::python {
namespace {

std::string name_of(PyObject* type_or_function) {
  const Reference name = Reference::stolen(PyObject_GetAttrString(type_or_function, "__name__"));
  const char* text = name ? PyUnicode_AsUTF8(name.get()) : nullptr;
  if (text == nullptr) {
    PyErr_Clear();
    return "?";
  }
  return text;
}

Reference bytes_of(const Item& in) {
  return Reference::stolen(checked(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(in.bytes().data()),
                                                             static_cast<Py_ssize_t>(in.bytes().size()))));
}

Reference text_of(const Item& in) {
  return Reference::stolen(checked(PyUnicode_DecodeUTF8(reinterpret_cast<const char*>(in.bytes().data()),
                                                        static_cast<Py_ssize_t>(in.bytes().size()), "strict")));
}

/// Something still looks at an item whose memory has been given back: what it sees is no longer that item.
[[noreturn]] void end_process_with_stale_view() {
  constexpr std::string_view kText =
      "a view of an item was kept beyond the call that got it, and its memory is needed now; this worker ends, and "
      "another one takes its place\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, kText.data(), kText.size());
  ::_exit(EXIT_FAILURE);
}

}  // namespace

Form form_named(const std::string& name) {
  if (name == "object") {
    return Form::object;
  }
  if (name == "bytes") {
    return Form::bytes;
  }
  if (name == "text") {
    return Form::text;
  }
  if (name == "image") {
    return Form::image;
  }
  throw Error("found items of form \"" + name + "\", expected \"object\", \"bytes\", \"text\" or \"image\"");
}

StageRunner::StageRunner(PythonStage stage) : stage_(std::move(stage)) {}

StageRunner::~StageRunner() {
  if (lease_) {
    const Gil gil;
    lease_.reset();
  }
}

/// REQUIRES: this thread holds Python's lock, here and below where nothing else is said.
Reference StageRunner::argument_of(const Item& in) {
  if (const Object* here = in.value<Object>()) {
    return Reference::borrowed(here->get());
  }
  switch (stage_.takes) {
    case Form::bytes:
      return bytes_of(in);
    case Form::text:
      return text_of(in);
    case Form::object:
    case Form::image:
      break;
  }
  if (stage_.zero_copy) {
    lease_ = std::make_unique<Lease>(in.bytes());
  }
  return Reference::stolen(decoded(in.bytes(), lease_.get()));
}

/// Whether a result is the item as it came: the very view of it, which nobody can have written.
bool StageRunner::passes_on(PyObject* result, const Item& in) const {
  if (!lease_ || !stage_.passes_on || stage_.gives != Form::object || !is_array_of_numbers(result)) {
    return false;
  }
  const ArrayMemory array(result);
  if (array.bytes().data() < in.bytes().data() || array.bytes().data() >= in.bytes().data() + in.bytes().size()) {
    return false;
  }
  const auto head = frame_head(in.bytes());
  return head && head->kind == FrameKind::array && ArrayView(in.bytes()).shape() == array.shape();
}

/// Takes the lock. `same`: the result is the item itself.
Reference StageRunner::call(const Item& in, bool& same) {
  const Gil gil;
  given_ = Object();
  require_no_kept_view();
  const Reference argument = argument_of(in);
  Reference result = Reference::stolen(checked(PyObject_CallOneArg(stage_.callable.get(), argument.get())));
  same = passes_on(result.get(), in);
  return result;
}

/// Without the lock.
void StageRunner::operator()(const Item& in, Output& out) {
  try {
    bool same = false;
    Reference result = call(in, same);
    if (same) {
      result = {};
      out.forward(in);  // a large one is not even copied
    } else if (PyGen_CheckExact(result.get())) {
      emit_each(result, out);
      result = {};
    } else {
      emit(std::move(result), out);
    }
    end_lease();
  } catch (const PythonError& error) {
    throw_from_stage(error, "", !is_worker());
  }
}

/// Without the lock, which a full link would keep from everybody else.
void StageRunner::emit(Reference result, Output& out) {
  if (stage_.gives == Form::object) {
    emit_object(std::move(result), out);
  } else if (stage_.gives == Form::image) {
    emit_image(result, out);
  } else {
    emit_bytes(result, out);
  }
}

void StageRunner::emit_object(Reference result, Output& out) {
  Object object(std::move(result));
  try {
    out.emit(std::move(object));
  } catch (const PythonError& error) {
    if (!is_worker()) {
      throw;
    }
    throw_from_stage(error, "the result cannot be sent to another process: ", false);
  }
  given_ = std::move(object);  // still there, if no stage of this process has taken it
}

void StageRunner::emit_bytes(const Reference& result, Output& out) {
  const char* bytes = nullptr;
  Py_ssize_t size = 0;
  {
    const Gil gil;
    if (stage_.gives == Form::bytes && PyBytes_Check(result.get())) {
      bytes = PyBytes_AS_STRING(result.get());
      size = PyBytes_GET_SIZE(result.get());
    } else if (stage_.gives == Form::text && PyUnicode_Check(result.get())) {
      bytes = PyUnicode_AsUTF8AndSize(result.get(), &size);
      checked(bytes != nullptr ? 0 : -1);
    } else {
      PyErr_Format(PyExc_TypeError, "the stage gave %s, expected %s, as its option \"gives\" says",
                   Py_TYPE(result.get())->tp_name, stage_.gives == Form::bytes ? "bytes" : "str");
      throw PythonError();
    }
  }
  out.emit_bytes(std::as_bytes(std::span(bytes, static_cast<std::size_t>(size))));
}

void StageRunner::emit_image(const Reference& result, Output& out) {
  std::optional<ArrayMemory> array;
  std::size_t size = 0;
  {
    const Gil gil;
    array.emplace(result.get());
    size = image_item_bytes(array->shape());
  }
  const std::span<std::byte> item = out.reserve(size).first(size);
  const std::span<std::byte> pixels = open_image_item(item, array->shape());
  std::memcpy(pixels.data(), array->bytes().data(), pixels.size());
  out.emit_reserved(size);
}

void StageRunner::emit_each(const Reference& generator, Output& out) {
  for (;;) {
    Reference item;
    {
      const Gil gil;
      given_ = Object();
      item = Reference::stolen(PyIter_Next(generator.get()));
      if (!item) {
        if (PyErr_Occurred() != nullptr) {
          throw PythonError();
        }
        return;
      }
    }
    emit(std::move(item), out);
  }
}

/// Takes the lock. The item's bytes are given back behind this call.
void StageRunner::end_lease() {
  if (!lease_) {
    return;
  }
  const Gil gil;
  given_ = Object();
  lease_->end();
  if (!lease_->is_kept()) {
    lease_.reset();
    return;
  }
  PyErr_Format(PyExc_BufferError,
               "%s keeps a view of its item beyond its call, where the memory is used for other items; copy what is "
               "to be kept, or add the stage without zero_copy",
               name_of(reinterpret_cast<PyObject*>(Py_TYPE(stage_.callable.get()))).c_str());
  throw PythonError();
}

void StageRunner::require_no_kept_view() {
  if (lease_ && lease_->is_kept()) {
    end_process_with_stale_view();
  }
  lease_.reset();
}

void StageRunner::cleanup() {
  const Gil gil;
  given_ = Object();
  if (stage_.flags && stage_.flags->abandoned()) {
    return;
  }
  try {
    if (stage_.has_cleanup) {
      const Reference done = Reference::stolen(checked(PyObject_CallMethod(stage_.callable.get(), "cleanup", nullptr)));
    }
    if (stage_.attributes && is_worker()) {
      stage_.attributes->put(stage_.callable.get());
    }
    if (is_worker()) {
      flush_output();
    }
  } catch (const PythonError& error) {
    throw_from_stage(error, "", !is_worker());
  }
}

}  // namespace pystream::python
