#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.hpp"

namespace pystream::cli {

/// A file that a command writes. It is written beside its place and put there by commit(), so it appears complete or
/// not at all, and one that stands there stays as it is until then; its permissions stay. What cannot be replaced is
/// written in place: a device, a pipe, or what is a descriptor of this process already (/dev/stdout).
class OutputFile {
 public:
  enum class Existing { replaced, refused };

  /// `file`: empty or "-" is standard output. Throws Error if it cannot be written there, BadUsage if there is a file
  /// that must not be replaced, or one of `read`: files that the command reads.
  explicit OutputFile(std::string file, Existing existing = Existing::replaced,
                      const std::vector<std::filesystem::path>& read = {});
  /// Without a commit() nothing happens to the place.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view text);
  /// The last thing to call. Throws Error if not all of it is in the file.
  void commit();

 private:
  bool prints() const { return file_.empty() || file_ == "-"; }
  void open_beside();
  void take_over_permissions() const;
  void put_in_place();
  std::filesystem::path name_beside() const;
  [[noreturn]] void fail() const;

  std::string file_;  ///< as it was given, for messages
  Existing existing_;
  std::filesystem::path target_;   ///< behind symbolic links; empty: written in place
  std::filesystem::path partial_;  ///< the file beside it; empty: it has no name yet
  base::UniqueFd fd_;
};

/// All of `text` as such a file.
void write_output(const std::string& file, std::string_view text, const std::vector<std::filesystem::path>& read = {});

}  // namespace pystream::cli
