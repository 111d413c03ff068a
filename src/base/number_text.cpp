#include "base/number_text.hpp"

#include <array>
#include <charconv>
#include <ctime>
#include <utility>

namespace pystream::base {
namespace {

std::string three_digits(double value) {
  return fixed_text(value, value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2);
}

/// Three significant digits at most, no trailing zeros.
std::string short_number(double value) {
  std::string out = fixed_text(value, value >= 100 ? 0 : value >= 10 ? 1 : 2);
  if (out.find('.') != std::string::npos) {
    out.erase(out.find_last_not_of('0') + 1);
    out.erase(out.find_last_not_of('.') + 1);
  }
  return out;
}

}  // namespace

std::string fixed_text(double value, int decimals) {
  std::array<char, 400> text{};  // the largest double has 309 digits
  const char* const end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, decimals).ptr;
  return {text.data(), static_cast<std::size_t>(end - text.data())};
}

std::string time_text(double seconds) {
  static constexpr std::array kUnits{std::pair{1e-9, " ns"}, std::pair{1e-6, " us"}, std::pair{1e-3, " ms"}};
  for (const auto& [size, name] : kUnits) {
    if (seconds < 999.5 * size) {
      return three_digits(seconds / size) + name;
    }
  }
  return three_digits(seconds) + " s";
}

std::string number_text(double number) {
  if (number < 999.5) {
    return three_digits(number);
  }
  return number < 999.5e3   ? three_digits(number * 1e-3) + " k"
         : number < 999.5e6 ? three_digits(number * 1e-6) + " M"
                            : three_digits(number * 1e-9) + " G";
}

std::string percent_text(double share, int decimals) {
  return fixed_text(share * 100, decimals) + " %";
}

std::string date_text(double unix_time) {
  const auto seconds = static_cast<std::time_t>(unix_time);
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
  return text.data();
}

std::string size_text(std::uint64_t bytes) {
  static constexpr std::array kUnits{std::pair{" GiB", 1ULL << 30}, std::pair{" MiB", 1ULL << 20},
                                     std::pair{" KiB", 1ULL << 10}};
  for (const auto& [unit, size] : kUnits) {
    if (bytes >= size) {
      return short_number(static_cast<double>(bytes) / static_cast<double>(size)) + unit;
    }
  }
  return count_text(bytes, "byte");
}

std::string duration_text(std::int64_t nanoseconds) {
  static constexpr std::array kUnits{std::pair{"h", 3'600'000'000'000LL}, std::pair{"min", 60'000'000'000LL},
                                     std::pair{"s", 1'000'000'000LL}, std::pair{"ms", 1'000'000LL},
                                     std::pair{"us", 1'000LL}};
  for (const auto& [unit, size] : kUnits) {
    if (nanoseconds >= size) {
      return short_number(static_cast<double>(nanoseconds) / static_cast<double>(size)) + unit;
    }
  }
  return std::to_string(nanoseconds) + "ns";
}

std::string count_text(std::size_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : noun.ends_with("s") ? "es" : "s");
}

}  // namespace pystream::base
