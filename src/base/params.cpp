#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <pystream/error.hpp>
#include <pystream/params.hpp>

namespace pystream {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

/// A number followed by one of `units`; `bare` is the factor without a unit (0: a unit is required).
std::optional<double> parse_scaled(std::string_view text, const std::vector<Unit>& units, double bare) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number) || number < 0) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  if (text.empty()) {
    return bare > 0 ? std::optional(number * bare) : std::nullopt;
  }
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == text; });
  if (unit == units.end() || number * unit->factor > 9e18) {
    return std::nullopt;
  }
  return number * unit->factor;
}

template <class T>
const T& require(const Params& params, std::string_view name, std::string_view expected) {
  const ParamValue* value = params.find(name);
  if (value == nullptr) {
    throw InvalidParam("parameter \"" + std::string(name) + "\" is missing: expected " + std::string(expected));
  }
  if (const T* typed = std::get_if<T>(value)) {
    return *typed;
  }
  throw InvalidParam("parameter \"" + std::string(name) + "\" has the wrong type: expected " + std::string(expected));
}

}  // namespace

bool operator==(const ParamValue& a, const ParamValue& b) {
  if (a.index() != b.index()) {
    return false;
  }
  return std::visit(
      [&](const auto& value) { return value == *std::get_if<std::remove_cvref_t<decltype(value)>>(&b); }, a);
}

std::string_view to_string(ParamType type) {
  switch (type) {
    case ParamType::boolean: return "boolean";
    case ParamType::integer: return "integer";
    case ParamType::number: return "number";
    case ParamType::string: return "string";
    case ParamType::size: return "size";
    case ParamType::duration: return "duration";
    case ParamType::list: return "list";
    case ParamType::any: return "any";
  }
  return "any";
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  static const std::vector<Unit> kUnits{{"B", 1},           {"kB", 1e3},        {"KB", 1e3},       {"MB", 1e6},
                                        {"GB", 1e9},        {"KiB", 1024},      {"MiB", 1048576.}, {"GiB", 1073741824.},
                                        {"k", 1e3},         {"K", 1024},        {"M", 1048576.},   {"G", 1073741824.}};
  const auto bytes = parse_scaled(text, kUnits, 1);
  return bytes ? std::optional(static_cast<std::uint64_t>(std::llround(*bytes))) : std::nullopt;
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  static const std::vector<Unit> kUnits{{"ns", 1},  {"us", 1e3},   {"µs", 1e3},  {"ms", 1e6},
                                        {"s", 1e9}, {"min", 6e10}, {"h", 3.6e12}};
  const auto ns = parse_scaled(text, kUnits, 0);
  return ns ? std::optional(std::chrono::nanoseconds(std::llround(*ns))) : std::nullopt;
}

const ParamValue* Params::find(std::string_view name) const {
  const auto found = std::find_if(values_.begin(), values_.end(), [&](const auto& entry) { return entry.first == name; });
  return found == values_.end() ? nullptr : &found->second;
}

void Params::set(std::string name, ParamValue value) {
  const auto found = std::find_if(values_.begin(), values_.end(), [&](const auto& entry) { return entry.first == name; });
  if (found == values_.end()) {
    values_.emplace_back(std::move(name), std::move(value));
  } else {
    found->second = std::move(value);
  }
}

bool Params::boolean(std::string_view name) const { return require<bool>(*this, name, "true or false"); }
std::int64_t Params::integer(std::string_view name) const {
  return require<std::int64_t>(*this, name, "an integer");
}
double Params::number(std::string_view name) const {
  const ParamValue* value = find(name);
  if (value != nullptr && std::holds_alternative<std::int64_t>(*value)) {
    return static_cast<double>(std::get<std::int64_t>(*value));
  }
  return require<double>(*this, name, "a number");
}
const std::string& Params::string(std::string_view name) const { return require<std::string>(*this, name, "a string"); }
const ParamList& Params::list(std::string_view name) const { return require<ParamList>(*this, name, "a list"); }
std::uint64_t Params::bytes(std::string_view name) const {
  return static_cast<std::uint64_t>(require<std::int64_t>(*this, name, "a size in bytes"));
}
std::chrono::nanoseconds Params::duration(std::string_view name) const {
  return std::chrono::nanoseconds(require<std::int64_t>(*this, name, "a duration"));
}
std::vector<std::string> Params::strings(std::string_view name) const {
  std::vector<std::string> out;
  for (const ParamValue& entry : list(name)) {
    if (!std::holds_alternative<std::string>(entry)) {
      throw InvalidParam("parameter \"" + std::string(name) + "\" has the wrong type: expected a list of strings");
    }
    out.push_back(std::get<std::string>(entry));
  }
  return out;
}

}  // namespace pystream
