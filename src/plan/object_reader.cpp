#include "plan/object_reader.hpp"

#include <utility>

#include "plan/json.hpp"
#include "plan/suggest.hpp"

namespace pystream::plan {

ObjectReader::ObjectReader(const ParamValue& value, std::string where, const KeyTable& keys,
                           std::vector<PlanFault>& faults)
    : value_(&value), where_(std::move(where)), keys_(keys), faults_(faults) {
  const auto* map = std::get_if<ParamMap>(&value);
  if (map == nullptr) {
    add_fault({.where = where_, .found = describe(value), .expected = "an object", .hint = {}});
    value_ = nullptr;
    return;
  }
  check_keys(*map);
}

void ObjectReader::check_keys(const ParamMap& map) const {
  for (const auto& [name, entry] : map) {
    if (!name.starts_with('$') && find_spec(keys_, name) == nullptr) {
      add_fault({.where = at(name),
                 .found = "the key " + in_quotes(name),
                 .expected = one_of(names_of(keys_)),
                 .hint = did_you_mean(name, names_of(keys_))});
    }
  }
  for (const ParamSpec& spec : keys_) {
    if (!spec.fallback && find(spec.name) == nullptr) {
      add_fault({.where = where_, .found = "no key " + in_quotes(spec.name), .expected = spec.text, .hint = {}});
    }
  }
}

const ParamValue* ObjectReader::find(std::string_view key) const {
  return value_ == nullptr ? nullptr : find_key(*value_, key);
}

std::string ObjectReader::at(std::string_view key) const {
  return pointer_to(where_, key);
}

std::optional<ParamValue> ObjectReader::fitted(std::string_view key) const {
  const ParamValue* value = find(key);
  const ParamSpec* spec = find_spec(keys_, key);
  if (value == nullptr || spec == nullptr) {
    return std::nullopt;
  }
  auto fit = fit_param(*value, *spec);
  if (!fit) {
    add_fault(misfit_fault(at(key), *value, *spec));
  }
  return fit;
}

void ObjectReader::read(std::string_view key, std::chrono::nanoseconds& out) const {
  std::int64_t count = out.count();
  read(key, count);
  out = std::chrono::nanoseconds(count);
}

void ObjectReader::read(std::string_view key, std::optional<std::chrono::nanoseconds>& out) const {
  if (find(key) != nullptr) {
    std::int64_t count = 0;
    read(key, count);
    out = std::chrono::nanoseconds(count);
  }
}

void ObjectReader::read(std::string_view key, std::optional<std::uint64_t>& out) const {
  if (find(key) != nullptr) {
    std::int64_t count = 0;
    read(key, count);
    out = static_cast<std::uint64_t>(count);
  }
}

void ObjectReader::read(std::string_view key, std::optional<double>& out) const {
  if (find(key) != nullptr) {
    double number = 0;
    read_as<double>(key, number);
    out = number;
  }
}

const ParamList* ObjectReader::list(std::string_view key) const {
  const ParamValue* value = find(key);
  const auto* list = value == nullptr ? nullptr : std::get_if<ParamList>(value);
  if (value != nullptr && list == nullptr) {
    add_fault({.where = at(key), .found = describe(*value), .expected = "a list", .hint = {}});
  }
  return list;
}

std::string one_of(const std::vector<std::string>& names) {
  std::string text = names.empty() ? "no keys" : "one of ";
  for (const std::string& name : names) {
    text += (&name == &names.front() ? "" : ", ") + in_quotes(name);
  }
  return text;
}

}  // namespace pystream::plan
