#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ios>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

/// Files of tests.
namespace pystream::test {

/// As far as it can be read: one of /proc may end because its process does.
inline std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}
inline void write_file(const std::string& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary);
  if (!file.write(content.data(), static_cast<std::streamsize>(content.size())).flush()) {
    throw std::runtime_error("cannot write " + path);
  }
}

/// A new folder that goes, with all in it, when this object does.
class TempFolder {
 public:
  TempFolder() {
    std::string name = std::filesystem::temp_directory_path() / "pystream_test_XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::system_error(errno, std::generic_category(), "cannot make a folder for a test");
    }
    path_ = name;
  }
  ~TempFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// The path of a file in it.
  std::string operator/(std::string_view name) const { return path_ / name; }
  /// Writes a file in it; returns its path.
  std::string write(std::string_view name, std::string_view content) const {
    write_file(*this / name, content);
    return *this / name;
  }
  /// A file's content; empty if there is none.
  std::string read(std::string_view name) const { return read_file(*this / name); }

 private:
  std::filesystem::path path_;
};

}  // namespace pystream::test
