#pragma once

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <regex>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "base/display_text.hpp"

/// Programs on a terminal of a given width.
namespace pystream::test {

struct Screen {
  int status = 0;
  std::string text;  ///< as the program has written it; what it wrote over a line is a line of its own

  /// Without colours.
  std::string plain() const { return std::regex_replace(text, std::regex("\x1b\\[[0-9;]*[mKJH]"), ""); }
  std::size_t widest() const {
    std::size_t width = 0;
    std::istringstream lines(plain());
    for (std::string line; std::getline(lines, line);) {
      width = std::max(width, base::display_width(line));
    }
    return width;
  }
};

/// Runs a program to its end in `folder`, with a terminal as its standard input, output and error.
inline Screen run_on_terminal(std::vector<std::string> arguments, unsigned short columns, const std::string& folder,
                              const std::string& profiles) {
  const winsize size{.ws_row = 50, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  std::vector<char*> argv;
  for (std::string& argument : arguments) {
    argv.push_back(argument.data());
  }
  argv.push_back(nullptr);
  int terminal = -1;
  const pid_t pid = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (pid < 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a terminal");
  }
  if (pid == 0) {
    ::setenv("TERM", "xterm", 1);
    ::setenv("PYSTREAM_PROFILES", profiles.c_str(), 1);
    for (const char* name : {"NO_COLOR", "PYSTREAM_WORKER", "PYSTREAM_PLUGIN_PATH"}) {
      ::unsetenv(name);
    }
    if (::chdir(folder.c_str()) == 0) {
      ::execv(argv[0], argv.data());
    }
    ::_exit(127);
  }
  Screen screen;
  std::array<char, 4096> chunk{};
  ssize_t got = 0;
  while ((got = ::read(terminal, chunk.data(), chunk.size())) > 0 || (got < 0 && errno == EINTR)) {
    screen.text.append(chunk.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  }
  screen.text = std::regex_replace(screen.text, std::regex("\r\n|\r"), "\n");
  ::waitpid(pid, &screen.status, 0);
  ::close(terminal);
  return screen;
}

}  // namespace pystream::test
