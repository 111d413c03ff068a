#pragma once

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

namespace pystream::cli {

/// Colour for people: only on a terminal, and not with NO_COLOR.
class Style {
 public:
  explicit Style(int fd) : on_(wanted() && ::isatty(fd) == 1) {}

  bool on() const { return on_; }
  std::string bold(const std::string& text) const { return in("1", text); }
  std::string dim(const std::string& text) const { return in("2", text); }
  std::string red(const std::string& text) const { return in("31", text); }
  std::string green(const std::string& text) const { return in("32", text); }

 private:
  static bool wanted() {
    const char* off = std::getenv("NO_COLOR");
    const char* terminal = std::getenv("TERM");
    return (off == nullptr || *off == '\0') && (terminal == nullptr || std::strcmp(terminal, "dumb") != 0);
  }
  std::string in(const char* code, const std::string& text) const {
    return on_ ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
  }

  bool on_;
};

}  // namespace pystream::cli
