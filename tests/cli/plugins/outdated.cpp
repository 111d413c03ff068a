#include <pystream/registry.hpp>

/// A plugin that was built with the headers of another version.
namespace {

[[maybe_unused]] const bool kRegistered =
    pystream::register_stage_type({.name = "test.outdated"}, pystream::detail::kPluginInterface + 1);

}  // namespace
