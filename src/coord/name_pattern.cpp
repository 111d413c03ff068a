#include "coord/name_pattern.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace pystream::coord {
namespace {

/// A name has at most 255 characters.
constexpr std::size_t kWidest = 255;

/// "sequence:06": 6. Nonsense, which the sink refuses, counts as 1.
std::size_t width_of(std::string_view place) {
  std::size_t width = 0;
  const std::size_t colon = std::min(place.find(':'), place.size());
  std::from_chars(place.data() + std::min(colon + 1, place.size()), place.data() + place.size(), width);
  return std::clamp<std::size_t>(width, 1, kWidest);
}

/// Where the bracket ends that begins at `start`. npos for none, and for those that only fnmatch(3) can read: with
/// classes, a "]" in front, or escapes.
std::size_t end_of_plain_bracket(std::string_view pattern, std::size_t start) {
  std::size_t first = start + 1;
  first += first < pattern.size() && (pattern[first] == '!' || pattern[first] == '^') ? 1 : 0;
  const std::size_t end = pattern.find_first_of("[]\\", first);
  return end != pattern.npos && end > first && pattern[end] == ']' ? end : pattern.npos;
}

}  // namespace

NamePattern NamePattern::name(std::string_view name) {
  NamePattern out;
  out.add_text(name);
  return out;
}

NamePattern NamePattern::shell(std::string_view pattern) {
  NamePattern out;
  if (pattern.empty()) {
    out.then_anything();
  }
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::size_t close = end_of_plain_bracket(pattern, i);
    if (pattern[i] == '[' && close == pattern.npos) {
      out.then_anything();
      return out;
    }
    if (pattern[i] == '*') {
      out.then_anything();
    } else if (pattern[i] == '?' || pattern[i] == '[') {
      out.parts_.push_back({.characters = Characters().set()});
      i = pattern[i] == '[' ? close : i;
    } else {
      i += pattern[i] == '\\' && i + 1 < pattern.size() ? 1 : 0;
      out.add_text(pattern.substr(i, 1));
    }
  }
  return out;
}

NamePattern NamePattern::braces(std::string_view text) {
  return template_of(text, false);
}

NamePattern NamePattern::numbered(std::string_view text) {
  return template_of(text, true);
}

NamePattern NamePattern::template_of(std::string_view text, bool closely) {
  NamePattern out;
  Characters between = Characters().set();
  if (closely) {
    between = digits().set('-');
  }
  const std::size_t extension = std::min(text.rfind('.'), text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == extension && i > 0) {
      out.parts_.push_back({.characters = between, .repeated = true});
    }
    const std::size_t close = text[i] == '{' ? text.find('}', i) : text.npos;
    if (close != text.npos) {
      out.add_place(text.substr(i + 1, close - i - 1), closely);
      i = close;
    } else {
      out.add_text(text.substr(i, 1));
    }
  }
  if (extension == text.size()) {
    out.parts_.push_back({.characters = between, .repeated = true});
  }
  return text.empty() ? out.then_anything() : out;
}

NamePattern::Characters NamePattern::digits() {
  Characters out;
  for (std::size_t digit = '0'; digit <= '9'; ++digit) {
    out.set(digit);
  }
  return out;
}

void NamePattern::add_text(std::string_view text) {
  for (const char c : text) {
    parts_.push_back({.characters = Characters().set(static_cast<unsigned char>(c))});
  }
}

/// What stands between braces.
void NamePattern::add_place(std::string_view place, bool closely) {
  const std::string_view name = place.substr(0, place.find(':'));
  if (!closely || (name != "sequence" && name != "part")) {
    then_anything();
    return;
  }
  parts_.insert(parts_.end(), width_of(place), {.characters = digits()});
  parts_.push_back({.characters = digits(), .repeated = true});
}

NamePattern& NamePattern::then_anything() {
  parts_.push_back({.characters = Characters().set(), .repeated = true});
  return *this;
}

bool NamePattern::starts_with_dot() const {
  return takes_dot_first() && !parts_.empty() && parts_.front().characters.test('.');
}

/// As in a shell: a name that begins with a dot fits only a pattern that does so too.
bool NamePattern::takes_dot_first() const {
  return parts_.empty() || (!parts_.front().repeated && parts_.front().characters.count() == 1);
}

bool NamePattern::meets(const NamePattern& other) const {
  if ((starts_with_dot() && !other.takes_dot_first()) || (other.starts_with_dot() && !takes_dot_first())) {
    return false;
  }
  // here[j]: one text can fit all parts before part i of this one and all before part j of the other.
  std::vector<char> here(other.parts_.size() + 1);
  here[0] = 1;
  for (std::size_t i = 0;; ++i) {
    std::vector<char> below(other.parts_.size() + 1);
    const Part* const mine = i < parts_.size() ? &parts_[i] : nullptr;
    for (std::size_t j = 0; j <= other.parts_.size(); ++j) {
      const Part* const theirs = j < other.parts_.size() ? &other.parts_[j] : nullptr;
      if (!here[j]) {
        continue;
      }
      const bool alike = mine != nullptr && theirs != nullptr && mine->fits(*theirs);
      if (theirs != nullptr && (theirs->repeated || (alike && mine->repeated))) {
        here[j + 1] = 1;
      }
      if (mine != nullptr && (mine->repeated || (alike && theirs->repeated))) {
        below[j] = 1;
      }
      if (alike && !mine->repeated && !theirs->repeated) {
        below[j + 1] = 1;
      }
    }
    if (mine == nullptr) {
      return here.back() != 0;
    }
    here = std::move(below);
  }
}

}  // namespace pystream::coord
