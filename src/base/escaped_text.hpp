#pragma once

#include <string>
#include <string_view>

/// Text escaped for machine-readable formats; bytes that are not UTF-8 become U+FFFD.
namespace pystream::base {

/// In quotes, with escapes.
std::string json_string(std::string_view text);
std::string json_number(double value);
/// For text and attributes of HTML.
std::string html_text(std::string_view text);

}  // namespace pystream::base
