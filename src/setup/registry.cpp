#include <algorithm>
#include <exception>
#include <map>
#include <pystream/registry.hpp>

namespace pystream {
namespace {

struct Registry {
  std::map<std::string, StageType, std::less<>> types;
  std::vector<std::string> errors;
};

/// Constructed on first use: registrations run before main(), in no order that we choose.
Registry& registry() {
  static Registry instance;
  return instance;
}

}  // namespace

bool register_stage_type(StageType type, std::uint64_t interface) noexcept {
  if (interface != detail::kPluginInterface) {
    // Not even the position of the name in the structure is certain.
    registry().errors.emplace_back(
        "it was built with other pystream headers than the library; build it again with those of the installed "
        "version");
    return false;
  }
  const std::string name = type.name;
  if (!registry().types.emplace(name, std::move(type)).second) {
    registry().errors.emplace_back("stage type \"" + name + "\" is registered twice; give one of them another name");
    return false;
  }
  return true;
}

std::vector<const StageType*> registered_stage_types() {
  std::vector<const StageType*> all;
  for (const auto& [name, type] : registry().types) {
    all.push_back(&type);
  }
  return all;
}

const StageType* find_stage_type(std::string_view name) {
  const auto found = registry().types.find(name);
  return found == registry().types.end() ? nullptr : &found->second;
}

std::span<const std::string> registration_errors() {
  return registry().errors;
}

}  // namespace pystream
