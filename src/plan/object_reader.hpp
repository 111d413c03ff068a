#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "plan/param_check.hpp"
#include "plan/plan_json.hpp"
#include "plan/plan_keys.hpp"

namespace pystream::plan {

/// One object of a document, read by its table of keys. Whatever is wrong is added to the faults; reading goes on.
/// Keys that begin with "$" belong to editors and tools and are passed over.
class ObjectReader {
 public:
  ObjectReader(const ParamValue& value, std::string where, const KeyTable& keys, std::vector<PlanFault>& faults);

  /// The unconverted value; nullptr if the key is absent.
  const ParamValue* find(std::string_view key) const;
  std::string at(std::string_view key) const;
  void add_fault(PlanFault fault) const { faults_.push_back(std::move(fault)); }

  /// Each leaves `out` unchanged if the key is absent or wrong.
  void read(std::string_view key, std::string& out) const { read_as<std::string>(key, out); }
  void read(std::string_view key, bool& out) const { read_as<bool>(key, out); }
  void read(std::string_view key, std::chrono::nanoseconds& out) const;
  void read(std::string_view key, std::optional<std::chrono::nanoseconds>& out) const;
  void read(std::string_view key, std::optional<std::uint64_t>& out) const;
  void read(std::string_view key, std::optional<double>& out) const;
  template <std::integral T>
  requires(!std::same_as<T, bool>) void read(std::string_view key, T& out) const { read_as<std::int64_t>(key, out); }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void read(std::string_view key, Enum& out) const {
    std::string word;
    read(key, word);
    for (const Enum value : Values<Enum>::kAll) {
      out = to_string(value) == word ? value : out;
    }
  }
  /// The entries of a list; nullptr if the key is absent or no list.
  const ParamList* list(std::string_view key) const;

 private:
  void check_keys(const ParamMap& map) const;
  std::optional<ParamValue> fitted(std::string_view key) const;
  template <class T, class Out>
  void read_as(std::string_view key, Out& out) const {
    if (const auto value = fitted(key); value && std::holds_alternative<T>(*value)) {
      out = static_cast<Out>(*std::get_if<T>(&*value));
    }
  }

  const ParamValue* value_;  ///< nullptr if it was no object
  std::string where_;
  const KeyTable& keys_;
  std::vector<PlanFault>& faults_;
};

/// "one of "a", "b"" for messages.
std::string one_of(const std::vector<std::string>& names);

}  // namespace pystream::plan
