#include "python/core/tree.hpp"

#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>

#include "python/core/decoding.hpp"
#include "python/core/errors.hpp"
#include "python/core/params.hpp"
#include "python/core/process.hpp"
#include "python/core/sink_runner.hpp"
#include "python/core/source_runner.hpp"
#include "python/core/stage_runner.hpp"

namespace py = pybind11;

namespace pystream::python {
namespace {

/// Ten years stand for "for ever".
std::chrono::nanoseconds duration_of(double seconds) {
  constexpr double kMost = 10.0 * 365 * 24 * 3600;
  if (std::isnan(seconds) || seconds < 0) {
    throw py::value_error("found a time of " + std::to_string(seconds) + " s, expected one from 0 on");
  }
  return std::chrono::nanoseconds(static_cast<std::int64_t>(std::min(seconds, kMost) * 1e9));
}

template <class T>
std::optional<T> value(const py::dict& from, const char* name) {
  return from.contains(name) && !from[name].is_none() ? std::optional(from[name].cast<T>()) : std::nullopt;
}

template <class T>
T value_or(const py::dict& from, const char* name, T fallback) {
  return value<T>(from, name).value_or(std::move(fallback));
}

template <class Enum>
Enum named(const std::string& name, std::initializer_list<Enum> values, const char* what) {
  std::string known;
  for (const Enum each : values) {
    if (to_string(each) == name) {
      return each;
    }
    known += (known.empty() ? "\"" : ", \"") + std::string(to_string(each)) + "\"";
  }
  throw py::value_error(std::string(what) + ": found \"" + name + "\", expected one of " + known);
}

/// Calls a Python function for the key of an item; equal keys have equal hashes in all processes of a pipeline, which
/// were forked from one.
std::uint64_t key_of(const Reference& function, std::span<const std::byte> item) {
  try {
    const Gil gil;
    const Reference object = Reference::stolen(decoded(item));
    const Reference key = Reference::stolen(checked(PyObject_CallOneArg(function.get(), object.get())));
    const Py_hash_t hash = PyObject_Hash(key.get());
    if (hash == -1) {
      throw PythonError();
    }
    return static_cast<std::uint64_t>(hash);
  } catch (const PythonError& error) {
    throw_from_stage(error, "the key of an item: ", !is_worker());
  }
}

Share share_of(const py::dict& options) {
  if (!options.contains("share") || options["share"].is_none()) {
    return {};
  }
  const py::object share = options["share"];
  if (PyCallable_Check(share.ptr()) != 0) {
    const Reference function = Reference::borrowed(share.ptr());
    return Share::key([function](std::span<const std::byte> item) { return key_of(function, item); });
  }
  return named(share.cast<std::string>(), {ShareBy::turn, ShareBy::least_loaded}, "share") == ShareBy::turn
             ? Share()
             : Share::least_loaded();
}

StageOptions stage_options(const py::dict& member) {
  StageOptions options;
  const auto given = member["options"].cast<py::dict>();
  if (const auto name = value<std::string>(given, "on_crash")) {
    options.on_crash = named(*name, {OnCrash::replay, OnCrash::skip, OnCrash::fail}, "on_crash");
  }
  if (const auto name = value<std::string>(given, "on_error")) {
    options.on_error = named(*name, {OnError::dead_letter, OnError::skip, OnError::retry, OnError::fail}, "on_error");
  }
  options.max_attempts = value_or(given, "max_attempts", options.max_attempts);
  options.replicas = value_or(given, "replicas", options.replicas);
  options.share = share_of(given);
  if (const auto timeout = value<double>(given, "timeout")) {
    options.timeout = duration_of(*timeout);
  }
  if (const auto timeout = value<double>(given, "start_timeout")) {
    options.start_timeout = duration_of(*timeout);
  }
  return options;
}

Reference text_of(std::string_view text) {
  return Reference::stolen(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace"));
}

/// Gives a line to a Python function. Called without Python's lock, between calls of the pipeline.
void tell_line(const Reference& function, std::string_view stage, std::string_view line) {
  const Gil gil;
  const Reference who = text_of(stage);
  const Reference what = text_of(line);
  const Reference done = Reference::stolen(
      who && what ? PyObject_CallFunctionObjArgs(function.get(), who.get(), what.get(), nullptr) : nullptr);
  if (!done) {
    put_error_aside();
  }
}

RegisteredStage registered_of(const py::dict& member) {
  const auto pair = member["registered"].cast<std::pair<std::string, py::dict>>();
  return {.type = pair.first, .params = params_of(pair.second)};
}

}  // namespace

Join join_named(const std::string& name) {
  return named(name, {Join::zip, Join::merge, Join::first, Join::none}, "join");
}

ParallelOptions parallel_options(const py::dict& given) {
  ParallelOptions options;
  const auto capacity = value_or(given, "capacity", py::dict());
  options.capacity.items = value<std::uint64_t>(capacity, "items");
  options.capacity.bytes = value<std::uint64_t>(capacity, "bytes");
  if (const auto time = value<double>(capacity, "time")) {
    options.capacity.time = duration_of(*time);
  }
  options.overflow = named(value_or<std::string>(given, "overflow", "block"),
                           {Overflow::block, Overflow::drop_newest, Overflow::drop_oldest}, "overflow");
  options.results = value_or<std::string>(given, "results", "newest") == "all" ? Results::all : Results::newest;
  options.restarts.max_restarts = value_or(given, "max_restarts", options.restarts.max_restarts);
  if (const auto window = value<double>(given, "restart_window")) {
    options.restarts.window = duration_of(*window);
  }
  options.stop_grace = duration_of(value_or(given, "stop_timeout", 2.0));
  options.plugins = value_or<std::vector<std::string>>(given, "plugins", {});
  options.worker_program = value_or<std::string>(given, "worker_program", "");
  options.block_input = value_or(given, "block_input", true);
  if (given.contains("worker_lines") && !given["worker_lines"].is_none()) {
    const Reference function = Reference::borrowed(py::object(given["worker_lines"]).ptr());
    options.worker_lines = [function](std::string_view stage, std::string_view line) {
      tell_line(function, stage, line);
    };
  }
  if (value_or<std::string>(given, "start_method", "fork") == "spawn") {
    options.start_method = StartMethod::spawn;
  } else {
    options.fork_hooks = fork_hooks(static_cast<bool>(options.worker_lines));
  }
  return options;
}

std::shared_ptr<AttributeBox> TreeBuilder::box_for(const py::dict& member) {
  const auto options = member["options"].cast<py::dict>();
  if (!brings_attributes_ || !member["keeps_attributes"].cast<bool>() || value_or(options, "replicas", 1) != 1) {
    return nullptr;
  }
  boxes_.emplace_back(Reference::borrowed(member["stage"].ptr()), std::make_shared<AttributeBox>());
  return boxes_.back().second;
}

void TreeBuilder::add_members(Pipeline& pipeline, const py::dict& description) {
  if (!description["source"].is_none()) {
    add_source(pipeline, description["source"].cast<py::dict>());
  }
  for (const py::handle member : description["members"].cast<py::list>()) {
    add_member(pipeline, member.cast<py::dict>());
  }
  if (!description["sink"].is_none()) {
    add_sink(pipeline, description["sink"].cast<py::dict>());
  }
}

void TreeBuilder::add_member(Pipeline& pipeline, const py::dict& member) {
  const auto name = member["name"].cast<std::string>();
  if (member.contains("pipeline")) {
    const auto options = member["options"].cast<py::dict>();
    pipeline.add(child_of(member["pipeline"].cast<py::dict>()), name,
                 ChildOptions{.replicas = value_or<std::uint32_t>(options, "replicas", 1), .share = share_of(options)});
    return;
  }
  if (member.contains("registered")) {
    pipeline.add(registered_of(member), name, stage_options(member));
    return;
  }
  const PythonStage stage{.callable = Reference::borrowed(member["stage"].ptr()),
                          .has_cleanup = member["has_cleanup"].cast<bool>(),
                          .zero_copy = member["zero_copy"].cast<bool>(),
                          .passes_on = passes_on_,
                          .takes = form_named(member["takes"].cast<std::string>()),
                          .gives = form_named(member["gives"].cast<std::string>()),
                          .attributes = box_for(member),
                          .flags = flags_};
  const ValueType* takes = stage.takes == Form::object ? &value_type<Object>() : nullptr;
  pipeline.add(ErasedStage{.make = [stage] { return std::make_unique<StageRunner>(stage); }, .takes = takes}, name,
               stage_options(member));
}

PipelineStage TreeBuilder::child_of(const py::dict& description) {
  Pipeline child;
  add_members(child, description);
  const auto mode = description["mode"].cast<std::string>();
  if (mode == "serial") {
    return child.as_serial_stage();
  }
  if (mode == "parallel") {
    return child.as_parallel_stage();
  }
  return child.as_branch_stage(join_named(description["join"].cast<std::string>()));
}

void TreeBuilder::add_source(Pipeline& pipeline, const py::dict& member) {
  const auto name = member["name"].cast<std::string>();
  if (member.contains("registered")) {
    pipeline.source(registered_of(member), name, stage_options(member));
    return;
  }
  const Reference object = Reference::borrowed(member["stage"].ptr());
  pipeline.source(std::make_unique<SourceRunner>(object, flags_), name, stage_options(member));
}

void TreeBuilder::add_sink(Pipeline& pipeline, const py::dict& member) {
  const auto name = member["name"].cast<std::string>();
  if (member.contains("registered")) {
    pipeline.sink(registered_of(member), name, stage_options(member));
    return;
  }
  PythonStage stage{.callable = Reference::borrowed(member["stage"].ptr()),
                    .has_cleanup = member["has_cleanup"].cast<bool>(),
                    .zero_copy = member["zero_copy"].cast<bool>(),
                    .takes = form_named(member["takes"].cast<std::string>()),
                    .attributes = box_for(member),
                    .flags = flags_};
  pipeline.sink(std::make_unique<SinkRunner>(std::move(stage)), name, stage_options(member));
}

}  // namespace pystream::python
