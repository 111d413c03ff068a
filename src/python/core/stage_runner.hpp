#pragma once

#include <Python.h>

#include <memory>
#include <pystream/stage.hpp>
#include <string>

#include "python/core/attributes.hpp"
#include "python/core/object.hpp"
#include "python/core/run_flags.hpp"

namespace pystream::python {

class Lease;

/// How an item that a stage takes or gives lies in its bytes.
enum class Form {
  object,  ///< a Python object, see decoded()
  bytes,   ///< the item's bytes as bytes, of or for a C++ stage
  text,    ///< the same as str
  image,   ///< an image of the OpenCV stages; what is taken is one without this
};
/// Throws Error that lists the names there are.
Form form_named(const std::string& name);

/// A Python stage before it runs.
struct PythonStage {
  Reference callable;
  bool has_cleanup = false;
  bool zero_copy = false;  ///< arrays are views into shared memory
  /// An item that comes out as it came in is not copied, but stays in the link that brought it until it is done further
  /// on. Where links hold few items, that would keep the stages from working at once.
  bool passes_on = true;
  Form takes = Form::object;
  Form gives = Form::object;
  std::shared_ptr<AttributeBox> attributes{};  ///< none: they stay in the worker
  std::shared_ptr<RunFlags> flags{};
};

/// Calls a Python stage for each item. It holds Python's lock for the length of the call alone: neither while it waits
/// for items nor while a full link blocks it.
class StageRunner final : public RawStage {
 public:
  explicit StageRunner(PythonStage stage);
  ~StageRunner() override;
  void operator()(const Item& in, Output& out) override;
  void cleanup() override;

 private:
  Reference argument_of(const Item& in);
  Reference call(const Item& in, bool& same);
  void emit(Reference result, Output& out);
  void emit_object(Reference result, Output& out);
  void emit_bytes(const Reference& result, Output& out);
  static void emit_image(const Reference& result, Output& out);
  void emit_each(const Reference& generator, Output& out);
  bool passes_on(PyObject* result, const Item& in) const;
  void end_lease();
  void require_no_kept_view();

  PythonStage stage_;
  Object given_;                  ///< what was given last; freed with the next call, which holds Python's lock anyway
  std::unique_ptr<Lease> lease_;  ///< of the item in work, or of one that something still looks at
};

}  // namespace pystream::python
