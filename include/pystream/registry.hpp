#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <pystream/detail/stage_forms.hpp>
#include <pystream/enums.hpp>
#include <pystream/params.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pystream {

/// What a stage type says about itself: return it from `static StageInfo describe()`.
///
///     static pystream::StageInfo describe() {
///       return {.summary = "multiplies by a factor",
///               .params = {{.name = "factor", .type = pystream::ParamType::number, .fallback = 2.0}}};
///     }
struct StageInfo {
  std::string summary{};            ///< one line for people
  std::vector<ParamSpec> params{};  ///< what its constructor reads
  std::string input{};              ///< names of the items; empty: taken from the class
  std::string output{};  ///< ("any" fits everything: where it is not known, items stay what they were in front)
  /// Name of the parameter that says what comes out: with "lines" or "path" the items are lines of text, else bytes.
  /// Empty: `output` tells.
  std::string framing{};
  bool writes_standard_output = false;  ///< always; a path of "-" is told by ParamSpec::file
};

/// A registered stage type: plans name it, workers make stages of it. PYSTREAM_STAGE makes one of a class.
///
///     if (const pystream::StageType* type = pystream::find_stage_type("lines")) {
///       std::cout << type->info.summary << "\n";
///     }
struct StageType {
  std::string name{};                 ///< as plans write it: "image.gray"
  StageKind kind = StageKind::stage;  ///< source, stage or sink
  StageInfo info{};                   ///< what the class says about itself
  std::size_t cursor_bytes = 0;       ///< size of its cursor, 0 if it has none
  std::size_t checkpoint_bytes = 0;   ///< upper limit of its checkpointed state
  /// Makes a stage, in the worker; throws what the class's constructor throws.
  std::function<std::unique_ptr<StageAdapter>(const Params&)> make{};
};

namespace detail {
/// Raised with each change of a class that a plugin and the library share (StageAdapter, Item, Output, StageType,
/// ItemRun), which its symbols do not tell; the sizes are for changes where that was forgotten.
inline constexpr std::uint64_t kPluginInterface =
    std::uint64_t{6} << 48 | sizeof(StageType) << 32 | sizeof(Item) << 16 | sizeof(ItemRun);
}  // namespace detail

/// Adds a type. A second registration of the same name is an error that registration_errors() tells, and so is a
/// plugin that was built with other headers: `interface` is what its own ones say.
/// Thread-safe only before main() and during dlopen(), where PYSTREAM_STAGE calls it.
bool register_stage_type(StageType type, std::uint64_t interface = detail::kPluginInterface) noexcept;
/// In order of their names.
std::vector<const StageType*> registered_stage_types();
/// nullptr: no such type is registered in this process.
const StageType* find_stage_type(std::string_view name);
/// What was wrong with registrations so far, a sentence each: a name that is taken, a plugin built with other headers.
std::span<const std::string> registration_errors();

namespace detail {

template <class T>
StageType describe_type(std::string name) {
  StageType type{.name = std::move(name),
                 .kind = SourceClass<T> ? StageKind::source
                         : SinkClass<T> ? StageKind::sink
                                        : StageKind::stage};
  if constexpr (requires { T::describe(); }) {
    type.info = T::describe();
  }
  if (type.info.input.empty()) {
    type.info.input = input_name<T>();
  }
  if (type.info.output.empty()) {
    type.info.output = output_name<T>();
  }
  if constexpr (requires { typename T::Cursor; }) {
    type.cursor_bytes = std::is_empty_v<typename T::Cursor> ? 0 : sizeof(typename T::Cursor);
  }
  if constexpr (std::is_base_of_v<CheckpointBase, T>) {
    type.checkpoint_bytes = T::kStateLimit;
  }
  type.make = [](const Params& params) -> std::unique_ptr<StageAdapter> {
    if constexpr (std::is_constructible_v<T, const Params&>) {
      return adapt(std::make_unique<T>(params));
    } else {
      static_assert(std::is_default_constructible_v<T>,
                    "pystream: a registered stage needs a constructor from const Params& or none at all");
      return adapt(std::make_unique<T>());
    }
  };
  return type;
}

}  // namespace detail
}  // namespace pystream

/// Registers a source, stage or sink class under the name that plans use: PYSTREAM_STAGE("image.gray", Gray);
/// at namespace scope of a plugin or program.
#define PYSTREAM_STAGE(name, ...) PYSTREAM_STAGE_AT(name, __COUNTER__, __VA_ARGS__)
#define PYSTREAM_STAGE_AT(name, counter, ...) PYSTREAM_STAGE_NAMED(name, counter, __VA_ARGS__)
#define PYSTREAM_STAGE_NAMED(name, counter, ...)                           \
  [[maybe_unused]] static const bool pystream_stage_registered_##counter = \
      ::pystream::register_stage_type(::pystream::detail::describe_type<__VA_ARGS__>(name))
