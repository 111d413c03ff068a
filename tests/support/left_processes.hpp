#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

/// Finds processes by an argument that no other process has.
namespace pystream::test {

/// A number of seconds for `sleep`, another one at each call.
inline std::string unique_argument() {
  static int count = 0;
  return "47." + std::to_string(::getpid()) + "0" + std::to_string(++count);
}

/// How many processes have it in their arguments, and `word` as well.
inline std::size_t processes_with(const std::string& argument, const std::string& word = "") {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") == std::string::npos) {
      std::ifstream file(entry.path() / "cmdline");
      std::ostringstream text;
      text << file.rdbuf();  // of a process that ends meanwhile: nothing, where an iterator would throw
      const std::string words = text.str();
      count += words.find(argument) != words.npos && words.find(word) != words.npos ? 1 : 0;
    }
  }
  return count;
}

}  // namespace pystream::test
