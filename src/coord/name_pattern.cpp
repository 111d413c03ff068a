#include "coord/name_pattern.hpp"

#include <algorithm>
#include <cstddef>

namespace pystream::coord {

NamePattern NamePattern::name(std::string_view name) {
  NamePattern out;
  for (const char c : name) {
    out.parts_.push_back(static_cast<unsigned char>(c));
  }
  return out;
}

NamePattern NamePattern::shell(std::string_view pattern) {
  NamePattern out;
  if (pattern.empty()) {
    out.parts_.push_back(kAnyText);
  }
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::size_t close = pattern[i] == '[' ? pattern.find(']', i + 2) : pattern.npos;
    if (pattern[i] == '*') {
      out.parts_.push_back(kAnyText);
    } else if (pattern[i] == '?' || close != pattern.npos) {
      out.parts_.push_back(kAnyCharacter);
      i = close != pattern.npos ? close : i;
    } else {
      i += pattern[i] == '\\' && i + 1 < pattern.size() ? 1 : 0;
      out.parts_.push_back(static_cast<unsigned char>(pattern[i]));
    }
  }
  return out;
}

NamePattern NamePattern::braces(std::string_view text) {
  NamePattern out;
  const std::size_t extension = std::min(text.rfind('.'), text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == extension && i > 0) {
      out.parts_.push_back(kAnyText);
    }
    const std::size_t close = text[i] == '{' ? text.find('}', i) : text.npos;
    if (close != text.npos) {
      out.parts_.push_back(kAnyText);
      i = close;
    } else {
      out.parts_.push_back(static_cast<unsigned char>(text[i]));
    }
  }
  if (extension == text.size() || text.empty()) {
    out.parts_.push_back(kAnyText);
  }
  return out;
}

/// As in a shell: a name that begins with a dot fits only a pattern that does so too.
bool NamePattern::takes_dot_first() const {
  return parts_.empty() || parts_.front() >= 0;
}

bool NamePattern::meets(const NamePattern& other) const {
  if ((starts_with_dot() && !other.takes_dot_first()) || (other.starts_with_dot() && !takes_dot_first())) {
    return false;
  }
  // reached[j]: what comes before part i here and before part j there can be the same text.
  std::vector<char> reached(other.parts_.size() + 1);
  for (std::size_t i = 0; i <= parts_.size(); ++i) {
    std::vector<char> next(other.parts_.size() + 1);
    for (std::size_t j = 0; j <= other.parts_.size(); ++j) {
      const int mine = i > 0 ? parts_[i - 1] : 0;
      const int theirs = j > 0 ? other.parts_[j - 1] : 0;
      const bool any_mine = i > 0 && mine == kAnyText;
      const bool any_theirs = j > 0 && theirs == kAnyText;
      const bool alike = i > 0 && j > 0 && (mine == theirs || mine < 0 || theirs < 0);
      next[j] = (i == 0 && j == 0) || (any_mine && (reached[j] || (j > 0 && next[j - 1]))) ||
                (any_theirs && (next[j - 1] || (i > 0 && reached[j]))) || (alike && reached[j - 1]);
    }
    reached = std::move(next);
  }
  return reached.back() != 0;
}

}  // namespace pystream::coord
