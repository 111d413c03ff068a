#include "plan/plan_hash.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "plan/json.hpp"
#include "plan/plan_json.hpp"

namespace pystream::plan {
namespace {

/// FNV-1a.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  }
  return hash;
}

std::string hexadecimal(std::uint64_t number) {
  std::string text(16, '0');
  for (auto digit = text.rbegin(); digit != text.rend(); ++digit, number >>= 4U) {
    *digit = "0123456789abcdef"[number & 0xfU];
  }
  return text;
}

/// A parameter of any type keeps the order that its keys have in the plan file.
void sort_keys(ParamValue& value) {
  if (auto* map = std::get_if<ParamMap>(&value)) {
    std::ranges::sort(*map, {}, &ParamMap::value_type::first);
    for (auto& [key, entry] : *map) {
      sort_keys(entry);
    }
  } else if (auto* list = std::get_if<ParamList>(&value)) {
    std::ranges::for_each(*list, sort_keys);
  }
}

}  // namespace

std::string plan_hash(const Plan& plan) {
  Plan common = plan;
  common.plugins.clear();
  common.profiler = {};
  if (common.cluster) {
    common.cluster->log.clear();
    common.cluster->credentials.clear();
    common.cluster->tls = {};
  }
  ParamValue document = parse_json(write_plan(common)).value;
  sort_keys(document);
  return hexadecimal(hash_of(dump_json(document, -1)));
}

}  // namespace pystream::plan
