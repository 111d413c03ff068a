#pragma once

#include <filesystem>
#include <string>

namespace pystream::cli {

/// In what the files below `after` differ from those below `before`, byte for byte; empty: in nothing.
std::string difference_of(const std::filesystem::path& before, const std::filesystem::path& after);

}  // namespace pystream::cli
