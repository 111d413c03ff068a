#pragma once

#include <cstddef>
#include <pystream/item.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pystream::core {

/// A file name with places for numbers: "{sequence:06}.png". Knows {sequence} and {part}, each with an optional
/// width filled with zeros (":06"), and {extension}, which is guessed from the first bytes of the content. A template
/// without {part} gives "-1", "-2", ... before the extension to the second and further outputs of one input, so that
/// they do not overwrite each other.
class NameTemplate {
 public:
  /// Throws InvalidParam. `who` starts the message.
  NameTemplate(std::string_view who, std::string_view text);
  std::string name_of(const Item& item) const;
  /// Whether some item could get that name.
  bool may_name(std::string_view name) const;

 private:
  enum class Kind { text, sequence, part, extension };
  struct Piece {
    Kind kind = Kind::text;
    std::string text{};
    std::size_t width = 0;
  };

  bool fits(std::string_view name) const;

  std::vector<Piece> pieces_;
  bool has_part_ = false;
};

/// "png", "jpg", ... from the first bytes; "bin" if they are not known.
std::string_view guess_extension(std::span<const std::byte> content);

}  // namespace pystream::core
