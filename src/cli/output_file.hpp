#pragma once

#include <string>
#include <string_view>

namespace pystream::cli {

/// Writes `text` to `file`, or to standard output if it is empty or "-". A file appears complete or not at all.
void write_output(const std::string& file, std::string_view text);

}  // namespace pystream::cli
