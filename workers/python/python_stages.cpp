#include <cstdint>
#include <pystream/registry.hpp>

#include "python/interpreter.hpp"

/// Stages, sources and sinks of Python in plan files. The extension of the package makes them; what is registered here
/// passes on each call.
namespace pystream::python {
namespace {

ParamSpec text(const char* name, const char* what, std::optional<ParamValue> fallback = ParamValue()) {
  return {.name = name, .type = ParamType::string, .fallback = std::move(fallback), .text = what};
}

ParamSpec form(const char* name, const char* what) {
  return {.name = name,
          .type = ParamType::string,
          .fallback = "object",
          .text = what,
          .choices = {"object", "bytes", "text", "image"}};
}

std::vector<ParamSpec> common_params() {
  return {
      text("module", "the file (stages.py) or the name of the module"),
      text("call", "what of the module is called: a function, or a class that is made with \"arguments\""),
      {.name = "arguments",
       .type = ParamType::any,
       .fallback = ParamValue(),
       .text = "an object of keyword arguments for the class or the function"},
      {.name = "path", .type = ParamType::list, .fallback = ParamList(), .text = "folders to search for modules first"},
      text("interpreter", "the Python whose libraries are used, such as that of a virtual environment"),
      text("pickle", "instead of module and call: a pickled callable in base64")};
}

/// Parameters that start Python, and not those of the stage.
constexpr const char* kOfInterpreter = "interpreter";

template <class T>
T& made(const char* function, const Params& params, const char* capsule) {
  start_python(params.has(kOfInterpreter) ? params.string(kOfInterpreter) : std::string(), params.strings("path"));
  return *static_cast<T*>(call_for_capsule(function, params, capsule));
}

/// Of what takes items.
std::vector<ParamSpec> taker_params() {
  std::vector<ParamSpec> params = common_params();
  params.push_back({.name = "zero_copy",
                    .type = ParamType::boolean,
                    .fallback = false,
                    .text = "numpy arrays are views into shared memory for the length of the call"});
  params.push_back(form("takes", "how the items lie in their bytes: as objects of Python, or as bytes or text"));
  return params;
}

class PythonStage final : public RawStage {
 public:
  static StageInfo describe() {
    std::vector<ParamSpec> params = taker_params();
    params.push_back(form("gives", "the same of what it gives"));
    return {.summary = "calls a function or an object of Python for each item",
            .params = std::move(params),
            .input = "any",
            .output = "any"};
  }
  explicit PythonStage(const Params& params) : stage_(made<RawStage>("stage", params, "pystream.RawStage")) {}
  void operator()(const Item& in, Output& out) override { stage_(in, out); }
  void cleanup() override { stage_.cleanup(); }

 private:
  RawStage& stage_;
};

class PythonSource final : public RawSource<std::uint64_t> {
 public:
  static StageInfo describe() {
    return {.summary = "gives the items of an iterable of Python", .params = common_params(), .output = "any"};
  }
  explicit PythonSource(const Params& params)
      : source_(made<RawSource<std::uint64_t>>("source", params, "pystream.RawSource")) {}
  bool produce(Output& out) override {
    source_.cursor() = cursor();
    const bool more = source_.produce(out);
    cursor() = source_.cursor();
    return more;
  }
  void resume() override {
    source_.cursor() = cursor();
    source_.resume();
  }
  void cleanup() override { source_.cleanup(); }

 private:
  RawSource<std::uint64_t>& source_;
};

class PythonSink final : public RawSink<> {
 public:
  static StageInfo describe() {
    std::vector<ParamSpec> params = taker_params();
    return {.summary = "calls a function or an object of Python for each item, and drops what it gives",
            .params = std::move(params),
            .input = "any"};
  }
  explicit PythonSink(const Params& params) : sink_(made<RawSink<>>("sink", params, "pystream.RawSink")) {}
  void consume(const Item& in) override { sink_.consume(in); }
  void cleanup() override { sink_.cleanup(); }

 private:
  RawSink<>& sink_;
};

PYSTREAM_STAGE("python", PythonStage);
PYSTREAM_STAGE("python.source", PythonSource);
PYSTREAM_STAGE("python.sink", PythonSink);

}  // namespace
}  // namespace pystream::python
