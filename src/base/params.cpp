#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <pystream/error.hpp>
#include <pystream/params.hpp>
#include <type_traits>

namespace pystream {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

/// What a number's text says, times a factor; exact for whole numbers.
struct Number {
  std::optional<std::uint64_t> whole;
  double fraction = 0;  ///< the number, if it is not whole

  std::optional<std::uint64_t> times(std::uint64_t factor) const {
    if (whole) {
      return *whole > kLargest / factor ? std::nullopt : std::optional(*whole * factor);
    }
    const double product = fraction * static_cast<double>(factor);
    return product > 9e18 ? std::nullopt : std::optional(static_cast<std::uint64_t>(std::llround(product)));
  }
};

/// Takes the number off the front of `text`.
std::optional<Number> take_number(std::string_view& text) {
  if (text.empty() || (text.front() != '.' && (text.front() < '0' || text.front() > '9'))) {
    return std::nullopt;  // from_chars would take signs, "inf" and "nan"
  }
  const char* last = text.data() + text.size();
  std::uint64_t whole = 0;
  auto [end, error] = std::from_chars(text.data(), last, whole);
  Number number{.whole = whole};
  if (error != std::errc() || (end != last && (*end == '.' || *end == 'e' || *end == 'E'))) {
    number.whole.reset();
    const auto result = std::from_chars(text.data(), last, number.fraction);
    if (result.ec != std::errc()) {
      return std::nullopt;
    }
    end = result.ptr;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

/// A number followed by one of `units`; without a unit it is taken times `bare`, 0: a unit is required.
std::optional<std::uint64_t> parse_scaled(std::string_view text, const std::vector<Unit>& units, std::uint64_t bare) {
  const auto number = take_number(text);
  if (!number) {
    return std::nullopt;
  }
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  if (text.empty()) {
    return bare > 0 ? number->times(bare) : std::nullopt;
  }
  const auto unit = std::find_if(units.begin(), units.end(), [&](const Unit& u) { return u.name == text; });
  return unit == units.end() ? std::nullopt : number->times(unit->factor);
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
  return std::visit([&](const auto& value) { return value == *std::get_if<std::remove_cvref_t<decltype(value)>>(&b); },
                    a);
}

std::string_view to_string(FileUse use) {
  switch (use) {
    case FileUse::none:
      return "none";
    case FileUse::reads:
      return "reads";
    case FileUse::writes:
      return "writes";
    case FileUse::names:
      return "names";
    case FileUse::recursive:
      return "recursive";
  }
  return "none";
}

std::optional<int> descriptor_named(std::string_view path) {
  constexpr std::array<std::string_view, 3> kStandard{"/dev/stdin", "/dev/stdout", "/dev/stderr"};
  if (const auto found = std::ranges::find(kStandard, path); found != kStandard.end()) {
    return static_cast<int>(found - kStandard.begin());
  }
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"}) {
    if (path.starts_with(folder)) {
      const std::string_view digits = path.substr(folder.size());
      int number = -1;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      const bool whole = error == std::errc() && end == digits.data() + digits.size() && number >= 0;
      return whole ? std::optional(number) : std::nullopt;
    }
  }
  return std::nullopt;
}

std::string_view to_string(ParamType type) {
  switch (type) {
    case ParamType::boolean:
      return "boolean";
    case ParamType::integer:
      return "integer";
    case ParamType::number:
      return "number";
    case ParamType::string:
      return "string";
    case ParamType::size:
      return "size";
    case ParamType::duration:
      return "duration";
    case ParamType::list:
      return "list";
    case ParamType::any:
      return "any";
  }
  return "any";
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::uint64_t kKi = 1024;
  constexpr std::uint64_t kKilo = 1000;
  static const std::vector<Unit> kUnits{{"B", 1},
                                        {"kB", kKilo},
                                        {"KB", kKilo},
                                        {"MB", kKilo * kKilo},
                                        {"GB", kKilo * kKilo * kKilo},
                                        {"TB", kKilo * kKilo * kKilo * kKilo},
                                        {"KiB", kKi},
                                        {"MiB", kKi * kKi},
                                        {"GiB", kKi * kKi * kKi},
                                        {"TiB", kKi * kKi * kKi * kKi},
                                        {"k", kKilo},
                                        {"K", kKi},
                                        {"M", kKi * kKi},
                                        {"G", kKi * kKi * kKi},
                                        {"T", kKi * kKi * kKi * kKi}};
  return parse_scaled(text, kUnits, 1);
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  static const std::vector<Unit> kUnits{{"ns", 1},
                                        {"us", 1'000},
                                        {"\u00b5s", 1'000},
                                        {"ms", 1'000'000},
                                        {"s", 1'000'000'000},
                                        {"min", 60'000'000'000},
                                        {"h", 3'600'000'000'000}};
  const auto ns = parse_scaled(text, kUnits, 0);
  return ns ? std::optional(std::chrono::nanoseconds(static_cast<std::int64_t>(*ns))) : std::nullopt;
}

const ParamValue* Params::find(std::string_view name) const {
  const auto found =
      std::find_if(values_.begin(), values_.end(), [&](const auto& entry) { return entry.first == name; });
  return found == values_.end() ? nullptr : &found->second;
}

void Params::set(std::string name, ParamValue value) {
  const auto found =
      std::find_if(values_.begin(), values_.end(), [&](const auto& entry) { return entry.first == name; });
  if (found == values_.end()) {
    values_.emplace_back(std::move(name), std::move(value));
  } else {
    found->second = std::move(value);
  }
}

bool Params::boolean(std::string_view name) const {
  return require<bool>(*this, name, "true or false");
}
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
const std::string& Params::string(std::string_view name) const {
  return require<std::string>(*this, name, "a string");
}
const ParamList& Params::list(std::string_view name) const {
  return require<ParamList>(*this, name, "a list");
}
std::uint64_t Params::bytes(std::string_view name) const {
  const auto count = require<std::int64_t>(*this, name, "a size in bytes");
  if (count < 0) {
    throw InvalidParam("parameter \"" + std::string(name) + "\" is negative: expected a size in bytes");
  }
  return static_cast<std::uint64_t>(count);
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
