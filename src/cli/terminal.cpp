#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/display_text.hpp"
#include "cli/style.hpp"
#include "plan/stage_names.hpp"

namespace pystream::cli {
namespace {

constexpr std::size_t kUsualWidth = 80;
constexpr std::size_t kUsualHeight = 24;
constexpr std::size_t kNarrowest = 20;

/// The size is 0 where a terminal does not know its own.
std::size_t size_or(unsigned short size, std::size_t usual) {
  return size > 0 ? size : usual;
}

winsize size_of(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 ? size : winsize{};
}

}  // namespace

bool is_terminal(int fd) {
  return ::isatty(fd) == 1;
}

std::optional<std::size_t> terminal_width(int fd) {
  return is_terminal(fd) ? std::optional(std::max(size_or(size_of(fd).ws_col, kUsualWidth), kNarrowest)) : std::nullopt;
}

std::optional<std::size_t> terminal_height(int fd) {
  return is_terminal(fd) ? std::optional(size_or(size_of(fd).ws_row, kUsualHeight)) : std::nullopt;
}

base::TextTable::Look look_of(int fd) {
  return {.width = terminal_width(fd), .colour = Style(fd).on()};
}

std::string shown_on(int fd, std::string_view text) {
  const std::string named = plan::short_key(text);
  return is_terminal(fd) ? base::printable_text(named) : named;
}

}  // namespace pystream::cli
