#pragma once

#include <string_view>
#include <vector>

namespace pystream::coord {

/// File names that a source reads or a sink writes, for the question whether one could be the other. It may say yes
/// where a closer look would say no.
class NamePattern {
 public:
  static NamePattern name(std::string_view name);
  /// "*.txt": * ? [...] and \ as in a shell. Empty: every name.
  static NamePattern shell(std::string_view pattern);
  /// "{sequence:06}.{extension}": whatever stands in braces is any text, and so is what comes before the extension.
  static NamePattern braces(std::string_view text);

  /// Is there a name that fits both?
  bool meets(const NamePattern& other) const;

 private:
  static constexpr int kAnyText = -1;
  static constexpr int kAnyCharacter = -2;

  bool starts_with_dot() const { return !parts_.empty() && parts_.front() == '.'; }
  bool takes_dot_first() const;

  std::vector<int> parts_;  ///< characters, or one of the above
};

}  // namespace pystream::coord
