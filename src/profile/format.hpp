#pragma once

#include <string>
#include <string_view>

#include "base/text_table.hpp"
#include "profile/summary.hpp"

namespace pystream::profile {

std::string to_table(const RunSummary& summary, const base::TextTable::Look& look);
std::string to_json(const RunSummary& summary);
std::string to_csv(const RunSummary& summary);

/// Every line of `text` made printable, and wrapped where a terminal is narrower.
std::string lines_within(std::string_view text, const base::TextTable::Look& look);

/// "1.25 ms", with three digits.
std::string format_time(double seconds);
/// "1.25 M", with three digits.
std::string format_count(double count);
/// "2026-01-31 23:59:59", local time.
std::string format_date(double unix_time);
std::string format_percent(double share);
/// In quotes, with escapes; what is no UTF-8 becomes U+FFFD.
std::string json_string(std::string_view text);
std::string json_number(double value);
/// For text and attributes of HTML.
std::string html_text(std::string_view text);

}  // namespace pystream::profile
