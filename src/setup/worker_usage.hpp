#pragma once

#include <array>
#include <string_view>
#include <utility>

/// What the worker program tells of itself: its help and its manual page are made of this.
namespace pystream::setup {

inline constexpr std::string_view kWorkerSummary = "the program that runs the stages of a pipeline";
inline constexpr std::string_view kWorkerDescribe = "describe [PLUGIN]...";
inline constexpr std::string_view kWorkerText =
    "pystream-coord and programs that use the library start it: a process for each parallel stage, one that writes the "
    "profile database, one that keeps dead letters. By hand, describe prints the stage types that it has and those of "
    "the plugins, as JSON.";
inline constexpr std::array<std::pair<std::string_view, std::string_view>, 1> kWorkerEnvironment{{
    {"PYSTREAM_PLUGIN_PATH",
     "folders, separated by colons, in which plugins without a slash in their name are looked for first"},
}};

}  // namespace pystream::setup
