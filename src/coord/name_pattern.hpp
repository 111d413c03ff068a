#pragma once

#include <bitset>
#include <string_view>
#include <vector>

namespace pystream::coord {

/// File names that a source reads or a sink writes, for the question whether one could be the other. It may say yes
/// where an exact check would say no.
class NamePattern {
 public:
  static NamePattern name(std::string_view name);
  /// "*.txt": * ? [...] and \ as in a shell; behind a bracket with a class, an escape or a "]" in front anything may
  /// follow. Empty: every name.
  static NamePattern shell(std::string_view pattern);
  /// "{sequence:06}.{extension}": whatever stands in braces is any text, and so is what comes before the extension.
  static NamePattern braces(std::string_view text);
  /// As braces(), but closer: {sequence} and {part} are digits, at least as many as their width says, and only a minus
  /// and digits come before the extension. For two runs, which may well write 7-left.png and 7-right.png.
  static NamePattern numbered(std::string_view text);

  /// Any text may follow.
  NamePattern& then_anything();
  /// Is there a name that fits both?
  bool meets(const NamePattern& other) const;

 private:
  using Characters = std::bitset<256>;
  struct Part {
    Characters characters;
    bool repeated = false;  ///< any number of them, or none

    bool fits(const Part& other) const { return (characters & other.characters).any(); }
  };

  static NamePattern template_of(std::string_view text, bool closely);
  static Characters digits();
  void add_text(std::string_view text);
  void add_place(std::string_view place, bool closely);
  bool starts_with_dot() const;
  bool takes_dot_first() const;

  std::vector<Part> parts_;
};

}  // namespace pystream::coord
