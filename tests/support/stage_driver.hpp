#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <pystream/testing.hpp>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Runs single stages in this process, as a worker would.
namespace pystream::test {

/// Keeps everything that is emitted.
using CollectingOutput = KeptOutput;

/// Loads a plugin for the rest of the process.
inline void load_plugin(const char* path) {
  if (::dlopen(path, RTLD_NOW | RTLD_LOCAL) == nullptr) {
    throw std::runtime_error(::dlerror());
  }
}

#ifdef PYSTREAM_TEST_PLUGIN
inline const bool kPluginLoaded = (load_plugin(PYSTREAM_TEST_PLUGIN), true);
#endif

inline const StageType& stage_type(std::string_view name) {
  const StageType* type = find_stage_type(name);
  if (type == nullptr) {
    throw std::runtime_error("stage type " + std::string(name) + " is not registered");
  }
  return *type;
}

/// Makes a stage with the defaults of every parameter that `given` does not hold.
inline std::unique_ptr<StageAdapter> make_stage(std::string_view name, ParamMap given = {}) {
  const StageType& type = stage_type(name);
  Params params(std::move(given));
  for (const auto& [key, value] : ParamMap(params.values())) {
    const auto& specs = type.info.params;
    if (std::none_of(specs.begin(), specs.end(), [&name = key](const ParamSpec& spec) { return spec.name == name; })) {
      throw std::runtime_error(std::string(name) + " does not describe a parameter " + key);
    }
  }
  for (const ParamSpec& spec : type.info.params) {
    if (!params.has(spec.name) && spec.fallback) {
      params.set(spec.name, *spec.fallback);
    }
  }
  return type.make(params);
}

/// One item through a stage or into a sink.
inline void feed(StageAdapter& stage, std::string_view bytes, Output& out, Item::Tag tag = {}) {
  // Exactly as many bytes as the item has: a sanitizer sees whoever reads beyond.
  const auto copy = std::make_unique<std::byte[]>(bytes.size());
  if (!bytes.empty()) {
    std::memcpy(copy.get(), bytes.data(), bytes.size());
  }
  stage.taker()->process(Item(tag, std::span<const std::byte>(copy.get(), bytes.size())), out);
}

/// What a stage makes of one item.
inline std::vector<std::string> answers(StageAdapter& stage, std::string_view bytes, Item::Tag tag = {}) {
  CollectingOutput out;
  feed(stage, bytes, out, tag);
  return out.texts();
}

/// Runs a source to its end, but at most `limit` items.
inline std::vector<std::string> run_source(StageAdapter& source, std::size_t limit = 1'000'000) {
  CollectingOutput out;
  while (out.items().size() < limit && source.source()->produce(out)) {
  }
  return out.texts();
}

/// A committed cursor, as a restarted worker finds it.
inline std::string saved_cursor(StageAdapter& stage) {
  return {reinterpret_cast<const char*>(stage.cursor().data()), stage.cursor().size()};
}
inline void restart_from(StageAdapter& stage, const std::string& cursor) {
  ASSERT_EQ(cursor.size(), stage.cursor().size());
  std::memcpy(stage.cursor().data(), cursor.data(), cursor.size());
  stage.resume();
}

/// The message of the exception that `action` throws; empty if it throws none.
template <class Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const std::exception& fault) {
    return fault.what();
  }
  return {};
}

}  // namespace pystream::test
