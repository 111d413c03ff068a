#include "serve/page_files.hpp"

#include <fstream>
#include <pystream/error.hpp>
#include <sstream>
#include <system_error>

#include "setup/places.hpp"

namespace pystream::serve {
namespace {

namespace fs = std::filesystem;

std::string type_of(const fs::path& file) {
  static const std::map<std::string, std::string> kTypes{{".html", "text/html; charset=utf-8"},
                                                         {".css", "text/css; charset=utf-8"},
                                                         {".js", "text/javascript; charset=utf-8"},
                                                         {".svg", "image/svg+xml"}};
  const auto found = kTypes.find(file.extension().string());
  return found != kTypes.end() ? found->second : "application/octet-stream";
}

Answer read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || text.str().empty()) {
    throw Error("cannot read " + file.string());
  }
  return {.type = type_of(file), .body = std::move(text).str(), .headers = {{"Cache-Control", "no-cache"}}};
}

}  // namespace

PageFiles::PageFiles(const fs::path& page, const std::map<std::string, std::vector<fs::path>>& libraries) {
  for (const fs::directory_entry& entry : fs::directory_iterator(page)) {
    if (entry.is_regular_file()) {
      files_["/" + entry.path().filename().string()] = read(entry.path());
    }
  }
  for (const auto& [name, places] : libraries) {
    std::error_code error;
    for (const fs::path& place : places) {
      if (!files_.contains("/lib/" + name) && fs::is_regular_file(place, error)) {
        files_["/lib/" + name] = read(place);
      }
    }
    if (!files_.contains("/lib/" + name)) {
      missing_.push_back(name);
    }
  }
  if (!files_.contains("/index.html")) {
    throw Error(page.string() + " holds no index.html");
  }
  files_["/"] = files_["/index.html"];
}

const Answer* PageFiles::find(const std::string& path) const {
  const auto found = files_.find(path);
  return found != files_.end() ? &found->second : nullptr;
}

fs::path find_page() {
  const fs::path program = setup::program_folder();
  std::string looked;
  for (const fs::path& place : {program / "../serve/page", program / PYSTREAM_PAGE_FROM_BIN}) {
    std::error_code error;
    if (fs::is_regular_file(place / "index.html", error)) {
      return fs::weakly_canonical(place);
    }
    looked += "\n  " + place.lexically_normal().string();
  }
  throw Error("the files of the page were not found; looked in" + looked);
}

std::map<std::string, std::vector<fs::path>> page_libraries() {
  return {{"d3.js", {"/usr/share/nodejs/d3/dist/d3.min.js", "/usr/share/javascript/d3/5/d3.min.js"}}};
}

}  // namespace pystream::serve
