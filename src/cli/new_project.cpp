#include "cli/new_project.hpp"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <system_error>
#include <vector>

#include "cli/frame.hpp"
#include "cli/output_file.hpp"
#include "cli/project_files.hpp"

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;

/// The folder's name, as far as every tool takes it for the name of a project.
std::string project_name(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  std::string name = (whole.has_filename() ? whole : whole.parent_path()).filename().string();
  std::ranges::replace_if(
      name, [](unsigned char letter) { return std::isalnum(letter) == 0 && letter != '-'; }, '_');
  return name.empty() ? "pipeline" : name;
}

std::string filled(std::string_view text, const std::string& name) {
  constexpr std::string_view kPlaceholder = "@project@";
  std::string out(text);
  for (std::size_t at = 0; (at = out.find(kPlaceholder, at)) != std::string::npos; at += name.size()) {
    out.replace(at, kPlaceholder.size(), name);
  }
  return out;
}

std::vector<ProjectFile> files_of(const std::string& language) {
  std::vector<ProjectFile> files;
  std::ranges::copy_if(project_files(), std::back_inserter(files),
                       [&](const ProjectFile& file) { return file.language == language; });
  return files;
}

/// What was made, to be removed again unless all of it was.
class Made {
 public:
  Made() = default;
  ~Made() {
    std::error_code error;  // what cannot be removed stays; the reason for it is being thrown
    for (auto path = paths_.rbegin(); path != paths_.rend(); ++path) {
      fs::remove(*path, error);
    }
  }
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;

  void add(fs::path path) { paths_.push_back(std::move(path)); }
  void keep() { paths_.clear(); }

 private:
  std::vector<fs::path> paths_;
};

}  // namespace

void write_project(const fs::path& folder, const std::string& language) {
  const std::vector<ProjectFile> files = files_of(language);
  for (const ProjectFile& file : files) {
    if (fs::exists(fs::symlink_status(folder / file.name))) {
      throw BadUsage((folder / file.name).string() + " exists already; nothing was written. Name another folder");
    }
  }
  Made made;
  std::error_code error;
  if (fs::create_directory(folder, error)) {
    made.add(folder);
  } else if (error) {
    throw Error("cannot make " + folder.string() + ": " + error.message());
  }
  const std::string name = project_name(folder);
  for (const ProjectFile& file : files) {
    const fs::path path = folder / file.name;
    OutputFile out(path.string(), OutputFile::Existing::refused);
    out.write(filled(file.text, name));
    out.commit();
    made.add(path);
  }
  made.keep();
}

std::string project_commands(const std::string& language) {
  constexpr std::string_view kFence = "```";
  const std::vector<ProjectFile> files = files_of(language);
  const auto page = std::ranges::find(files, std::string_view("README.md"), &ProjectFile::name);
  const std::size_t first = page->text.find('\n', page->text.find(kFence)) + 1;
  return std::string(page->text.substr(first, page->text.find(kFence, first) - first));
}

}  // namespace pystream::cli
