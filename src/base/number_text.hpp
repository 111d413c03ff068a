#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Numbers for people.
namespace pystream::base {

/// "1.250" with three decimals.
std::string fixed_text(double value, int decimals);
/// "1.25 ms", with three digits.
std::string time_text(double seconds);
/// "1.25 M", with three digits.
std::string number_text(double number);
/// "12.5 %" of 0.125.
std::string percent_text(double share, int decimals = 1);
/// "2026-01-31 23:59:59", local time.
std::string date_text(double unix_time);

/// "64 MiB", "1.5 GiB", "17 bytes".
std::string size_text(std::uint64_t bytes);
/// "20ms", "1.5s": as plan files write it.
std::string duration_text(std::int64_t nanoseconds);
/// "1 link", "3 links".
std::string count_text(std::size_t count, std::string_view noun);

}  // namespace pystream::base
