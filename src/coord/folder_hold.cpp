#include "coord/folder_hold.hpp"

#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <fstream>

#include "coord/name_pattern.hpp"

namespace pystream::coord {
namespace {

constexpr std::string_view kPrefix = "pystream-writes/";
constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;  // behind the zero that makes it abstract
constexpr char kTemplate = 't';
constexpr char kOneFile = 'f';
constexpr char kCut = '*';

/// /proc/net/unix shows addresses as they are: what would end or confuse its line is written as %20.
std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c > ' ' && c < '\x7f' && c != '%' && c != kCut) {
      out += c;
    } else {
      char digits[4];
      std::snprintf(digits, sizeof(digits), "%%%02x", static_cast<unsigned char>(c));
      out += digits;
    }
  }
  return out;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const char* const digits = text.data() + i + 1;
    if (text[i] == '%' && i + 2 < text.size() && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

/// What is encoded as a whole: a character, or in a template what stands in braces.
std::string_view first_piece(std::string_view text, bool one_file) {
  const std::size_t close = !one_file && text.front() == '{' ? text.find('}') : text.npos;
  return text.substr(0, close == text.npos ? 1 : close + 1);
}

/// The number in front of a slash, which is taken off.
template <class Number>
bool take_number(std::string_view& text, int base, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end == text.data() + text.size() || *end != '/') {
    return false;
  }
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return true;
}

NamePattern pattern_of(const FolderHold& hold) {
  NamePattern pattern = hold.one_file ? NamePattern::name(hold.names) : NamePattern::numbered(hold.names);
  return hold.cut ? pattern.then_anything() : pattern;
}

}  // namespace

std::string FolderHold::address() const {
  char place[64];
  std::snprintf(place, sizeof(place), "%llx/%llx/%ld/", static_cast<unsigned long long>(device),
                static_cast<unsigned long long>(inode), pid);
  std::string out = std::string(kPrefix) + place + (one_file ? kOneFile : kTemplate);
  if (const std::string all = encoded(names); !cut && out.size() + all.size() <= kLongest) {
    return out + all;
  }
  std::string_view rest = names;
  while (!rest.empty()) {
    const std::string_view piece = first_piece(rest, one_file);
    const std::string next = encoded(piece);
    if (out.size() + next.size() >= kLongest) {
      break;
    }
    out += next;
    rest.remove_prefix(piece.size());
  }
  return out + kCut;
}

std::optional<FolderHold> FolderHold::from_address(std::string_view address) {
  FolderHold hold;
  if (!address.starts_with(kPrefix)) {
    return std::nullopt;
  }
  address.remove_prefix(kPrefix.size());
  if (!take_number(address, 16, hold.device) || !take_number(address, 16, hold.inode) ||
      !take_number(address, 10, hold.pid) || address.empty()) {
    return std::nullopt;
  }
  hold.one_file = address.front() == kOneFile;
  address.remove_prefix(1);
  hold.cut = address.ends_with(kCut);
  address.remove_suffix(hold.cut ? 1 : 0);
  hold.names = decoded(address);
  return hold;
}

bool FolderHold::meets(const FolderHold& other) const {
  return device == other.device && inode == other.inode && !(one_file && other.one_file) &&
         pattern_of(*this).meets(pattern_of(other));
}

std::optional<std::vector<std::string>> held_folders() {
  errno = 0;
  std::ifstream sockets("/proc/net/unix");
  if (!sockets) {
    errno = errno != 0 ? errno : ENOENT;
    return std::nullopt;
  }
  std::vector<std::string> found;
  const std::string start = " @" + std::string(kPrefix);
  for (std::string line; std::getline(sockets, line);) {
    if (const std::size_t at = line.find(start); at != line.npos) {
      found.push_back(line.substr(at + 2));
    }
  }
  return found;
}

}  // namespace pystream::coord
