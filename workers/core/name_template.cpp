#include "core/name_template.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <pystream/error.hpp>

namespace pystream::core {
namespace {

constexpr std::size_t kWidest = 20;

std::string padded(std::uint64_t number, std::size_t width) {
  std::string digits = std::to_string(number);
  return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_alphanumeric(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z');
}

[[noreturn]] void refuse(std::string_view who, std::string_view text, const std::string& why) {
  throw InvalidParam(std::string(who) + ": parameter \"pattern\" is \"" + std::string(text) + "\": " + why +
                     "; expected a file name such as \"{sequence:06}.png\"");
}

}  // namespace

NameTemplate::NameTemplate(std::string_view who, std::string_view text) {
  bool has_sequence = false;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t open = rest.find('{');
    if (open != 0) {
      const std::string_view plain = rest.substr(0, open);
      if (plain.find('}') != plain.npos) {
        refuse(who, text, "a } without a {");
      }
      if (plain.find('/') != plain.npos) {
        refuse(who, text, "a / in it, but all files go into \"directory\"");
      }
      pieces_.push_back({.text = std::string(plain)});
      rest.remove_prefix(plain.size());
      continue;
    }
    const std::size_t close = rest.find('}');
    if (close == rest.npos) {
      refuse(who, text, "a { without a }");
    }
    std::string_view name = rest.substr(1, close - 1);
    std::size_t width = 0;
    const std::size_t colon = name.find(':');
    if (colon != name.npos) {
      const std::string_view digits = name.substr(colon + 1);
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), width);
      if (error != std::errc() || end != digits.data() + digits.size() || digits.front() != '0' || width > kWidest) {
        refuse(
            who, text,
            std::string("width \"").append(digits) + "\" is not one such as 06, at most 0" + std::to_string(kWidest));
      }
      name = name.substr(0, colon);
    }
    Piece piece{.width = width};
    if (name == "sequence") {
      piece.kind = Kind::sequence;
      has_sequence = true;
    } else if (name == "part") {
      piece.kind = Kind::part;
      has_part_ = true;
    } else if (name == "extension" && colon == name.npos) {
      piece.kind = Kind::extension;
    } else {
      refuse(who, text, std::string("{").append(name) + "} is not known; there are {sequence}, {part} and {extension}");
    }
    pieces_.push_back(piece);
    rest.remove_prefix(close + 1);
  }
  if (!has_sequence) {
    refuse(who, text, "without {sequence} every item would overwrite the one before");
  }
}

std::string NameTemplate::name_of(const Item& item) const {
  std::string name;
  for (const Piece& piece : pieces_) {
    switch (piece.kind) {
      case Kind::text:
        name += piece.text;
        break;
      case Kind::sequence:
        name += padded(item.sequence(), piece.width);
        break;
      case Kind::part:
        name += padded(item.part(), piece.width);
        break;
      case Kind::extension:
        name += guess_extension(item.bytes());
        break;
    }
  }
  if (!has_part_ && item.part() > 0) {
    const std::size_t dot = name.rfind('.');
    const std::size_t at = dot == name.npos ? name.size() : dot;
    name.insert(at, std::to_string(item.part())).insert(at, 1, '-');
  }
  return name;
}

bool NameTemplate::may_name(std::string_view name) const {
  if (has_part_ || fits(name)) {
    return fits(name);
  }
  // "000007-1.png": the second output of an input.
  const std::size_t end = std::min(name.rfind('.'), name.size());
  std::size_t begin = end;
  while (begin > 0 && is_digit(name[begin - 1])) {
    --begin;
  }
  if (begin == end || begin == 0 || name[begin - 1] != '-') {
    return false;
  }
  return fits(std::string(name.substr(0, begin - 1)).append(name.substr(end)));
}

/// Without the number of a part that the template does not name.
bool NameTemplate::fits(std::string_view name) const {
  // reached[i]: the pieces so far can be the first i characters.
  std::vector<bool> reached(name.size() + 1);
  reached[0] = true;
  for (const Piece& piece : pieces_) {
    std::vector<bool> next(name.size() + 1);
    for (std::size_t from = 0; from <= name.size(); ++from) {
      const std::string_view rest = name.substr(from);
      if (!reached[from]) {
        continue;
      }
      if (piece.kind == Kind::text && rest.starts_with(piece.text)) {
        next[from + piece.text.size()] = true;
      }
      const auto may_be_in = piece.kind == Kind::extension ? is_alphanumeric : is_digit;
      for (std::size_t size = 1; piece.kind != Kind::text && size <= rest.size() && may_be_in(rest[size - 1]); ++size) {
        next[from + size] = next[from + size] || size >= piece.width;
      }
    }
    reached = std::move(next);
  }
  return reached[name.size()];
}

std::string_view guess_extension(std::span<const std::byte> content) {
  struct Magic {
    std::string_view start;
    std::string_view extension;
  };
  static constexpr std::array kMagics{
      Magic{"\x89PNG\r\n", "png"}, Magic{"\xff\xd8\xff", "jpg"}, Magic{"GIF8", "gif"}, Magic{"BM", "bmp"},
      Magic{"%PDF-", "pdf"},       Magic{"II*", "tif"},          Magic{"MM", "tif"},
  };
  const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
  const auto found = std::find_if(kMagics.begin(), kMagics.end(), [&](const Magic& magic) {
    return text.substr(0, magic.start.size()) == magic.start;
  });
  if (found != kMagics.end()) {
    return found->extension;
  }
  return text.substr(0, 4) == "RIFF" && text.size() >= 12 && text.substr(8, 4) == "WEBP" ? "webp" : "bin";
}

}  // namespace pystream::core
