#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "serve/http.hpp"

namespace pystream::serve {

/// The files of the page, read once: what a request names is looked up in a table and never in the file system.
class PageFiles {
 public:
  /// `page`: the folder with index.html and what belongs to it. `libraries`: where files of other packages may stand,
  /// by their names in the page; the first that is there is taken. Throws Error if the page is not there.
  PageFiles(const std::filesystem::path& page,
            const std::map<std::string, std::vector<std::filesystem::path>>& libraries);

  /// nullptr: there is no such file. "/" is index.html.
  const Answer* find(const std::string& path) const;
  /// Libraries that are not installed.
  const std::vector<std::string>& missing() const { return missing_; }

 private:
  std::map<std::string, Answer> files_;
  std::vector<std::string> missing_;
};

/// Where this build, or this installation, has the page. Throws Error that lists where it looked.
std::filesystem::path find_page();
/// Libraries of the page that Debian's packages install.
std::map<std::string, std::vector<std::filesystem::path>> page_libraries();

}  // namespace pystream::serve
