#pragma once

#include <string>
#include <string_view>

#include "profile/summary.hpp"

namespace pystream::profile {

std::string to_table(const RunSummary& summary, bool colour);
std::string to_json(const RunSummary& summary);
std::string to_csv(const RunSummary& summary);

/// "1.25 ms", with three digits.
std::string format_time(double seconds);
/// "1.25 M", with three digits.
std::string format_count(double count);
std::string format_percent(double share);
/// The key without "MainPipeline__" in front.
std::string short_key(const std::string& key);
/// In quotes, with escapes.
std::string json_string(std::string_view text);
std::string json_number(double value);
/// For text and attributes of HTML.
std::string html_text(std::string_view text);

}  // namespace pystream::profile
