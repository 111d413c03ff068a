#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace pystream {

struct ParamValue;
using ParamList = std::vector<ParamValue>;                         ///< a list in a plan file
using ParamMap = std::vector<std::pair<std::string, ParamValue>>;  ///< an object in a plan file, in its order

/// A parameter's value as it stands in a plan file. monostate is JSON's null.
///
///     const pystream::ParamValue command = pystream::ParamList{"sed", "-u", "s/a/b/"};
struct ParamValue : std::variant<std::monostate, bool, std::int64_t, double, std::string, ParamList, ParamMap> {
  using variant::variant;
  /// A string.
  ParamValue(const char* text) : variant(std::string(text)) {}
  /// An integer.
  ParamValue(int number) : variant(std::int64_t{number}) {}
};
/// The same type and value; an integer does not equal a floating-point number.
bool operator==(const ParamValue& a, const ParamValue& b);

/// What a parameter may hold. `size` accepts an integer or text such as "64MiB" and is kept as bytes;
/// `duration` accepts text such as "20ms" and is kept as nanoseconds (both as int64 once a plan is validated).
enum class ParamType { boolean, integer, number, string, size, duration, list, any };

/// The name of the type: "size".
std::string_view to_string(ParamType type);

/// What a parameter says about files. A stage type declares it so that a run whose output is one of its inputs, or the
/// output of another run, is refused before anything is created or cut.
enum class FileUse {
  none,
  reads,      ///< a file or folder that is read; "-" is standard input
  writes,     ///< a file or folder that is written; "-" is standard output
  names,      ///< which names in the folder that the parameter before gives: a pattern as in a shell for what is
              ///< read, a template with parts in braces for what is written
  recursive,  ///< boolean: the folders below that folder are read too
};

/// The name of the enumerator: "reads".
std::string_view to_string(FileUse use);

/// The descriptor that a path such as /dev/stdin, /dev/stdout, /dev/fd/7 or /proc/self/fd/7 stands for; nullopt: none.
[[nodiscard]] std::optional<int> descriptor_named(std::string_view path);

/// Description of one parameter: what `pystream-coord stages` prints and `validate` checks.
///
///     const pystream::ParamSpec width{.name = "width", .type = pystream::ParamType::integer, .fallback = 640, .min =
///     1};
struct ParamSpec {
  std::string name{};                    ///< as plans write it
  ParamType type = ParamType::string;    ///< what it may hold
  std::optional<ParamValue> fallback{};  ///< the default; nullopt: the parameter must be given;
                                         ///< null: it may be left out, Params::has() is false then
  std::string text{};                    ///< one line for people
  std::optional<double> min{};           ///< for integer, number, size (bytes), duration (ns)
  std::optional<double> max{};           ///< in the same unit
  std::vector<std::string> choices{};    ///< for string: the allowed values, empty for any
  FileUse file = FileUse::none;          ///< what it says about files
};

/// The parameters of one stage, checked against its ParamSpecs, defaults filled in.
///
///     explicit Scale(const pystream::Params& params) : factor_(params.number("factor")) {}
class Params {
 public:
  Params() = default;
  /// Of values that nobody has checked.
  explicit Params(ParamMap values) : values_(std::move(values)) {}

  /// Whether there is such a parameter; false for one that was left out and has no default.
  bool has(std::string_view name) const { return find(name) != nullptr; }
  /// Its value; nullptr if there is none.
  const ParamValue* find(std::string_view name) const;
  /// Adds a value, or replaces the one of this name.
  void set(std::string name, ParamValue value);
  /// All of them.
  const ParamMap& values() const { return values_; }

  /// Each throws InvalidParam if the parameter is missing or of another type.
  bool boolean(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;               ///< throws as boolean() does
  double number(std::string_view name) const;                      ///< an integer is accepted too
  const std::string& string(std::string_view name) const;          ///< throws as boolean() does
  const ParamList& list(std::string_view name) const;              ///< throws as boolean() does
  std::uint64_t bytes(std::string_view name) const;                ///< of a `size` parameter
  std::chrono::nanoseconds duration(std::string_view name) const;  ///< of a `duration` parameter
  std::vector<std::string> strings(std::string_view name) const;   ///< of a list of strings

  bool operator==(const Params&) const = default;  ///< the same values in the same order

 private:
  ParamMap values_;
};

/// "64MiB", "1.5 GB", "4096" → bytes; nullopt if it is not a size.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
/// "20ms", "5s", "1.5min", "100us", "2h" → duration; nullopt if it is not one (a unit is required).
[[nodiscard]] std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

}  // namespace pystream
