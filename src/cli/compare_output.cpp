#include "cli/compare_output.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <system_error>

#include "cli/frame.hpp"

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;

std::string difference_of_files(const fs::path& kept, const fs::path& now) {
  std::ifstream a(kept, std::ios::binary);
  std::ifstream b(now, std::ios::binary);
  if (!b) {
    return now.string() + " was not written";
  }
  std::array<char, 65536> from_a{};
  std::array<char, 65536> from_b{};
  for (std::uint64_t offset = 0;;) {
    a.read(from_a.data(), from_a.size());
    b.read(from_b.data(), from_b.size());
    const auto size_a = a.gcount();
    const auto size_b = b.gcount();
    const auto differ = std::mismatch(from_a.begin(), from_a.begin() + size_a, from_b.begin(), from_b.begin() + size_b);
    if (differ.first != from_a.begin() + size_a || size_a != size_b) {
      return now.string() + " differs from byte " +
             std::to_string(offset + static_cast<std::uint64_t>(differ.first - from_a.begin())) + " on";
    }
    if (size_a == 0) {
      return {};
    }
    offset += static_cast<std::uint64_t>(size_a);
  }
}

std::set<fs::path> files_in(const fs::path& folder) {
  std::set<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files.insert(fs::relative(entry.path(), folder));
    }
  }
  return files;
}

std::string difference_of_folders(const fs::path& kept, const fs::path& now) {
  const std::set<fs::path> before = files_in(kept);
  const std::set<fs::path> after = fs::is_directory(now) ? files_in(now) : std::set<fs::path>{};
  if (before != after) {
    return now.string() + " has " + std::to_string(after.size()) + " files, undisturbed it had " +
           std::to_string(before.size());
  }
  for (const fs::path& file : before) {
    if (std::string difference = difference_of_files(kept / file, now / file); !difference.empty()) {
      return difference;
    }
  }
  return {};
}

}  // namespace

OutputKeeper::OutputKeeper(const plan::Plan& plan) {
  if (plan.exit == plan::EndKind::hosted) {
    const Params& params = plan.sink.stage->params;
    for (const char* name : {"path", "directory"}) {
      if (const ParamValue* value = params.find(name); value != nullptr && output_.empty()) {
        output_ = params.string(name);
      }
    }
  }
  if (output_.empty() || output_ == "-") {
    throw BadUsage("--verify: the sink writes no file that could be compared; give it one with --output");
  }
  output_ = fs::absolute(output_).lexically_normal();
  if (!output_.has_filename()) {
    output_ = output_.parent_path();
  }
  kept_ = output_;
  kept_ += ".undisturbed";
}

OutputKeeper::~OutputKeeper() {
  std::error_code error;
  fs::remove_all(kept_, error);
}

void OutputKeeper::keep() {
  fs::remove_all(kept_);
  if (!fs::exists(output_)) {
    throw Error("--verify: the sink did not write " + output_.string());
  }
  fs::rename(output_, kept_);
}

std::string OutputKeeper::difference() const {
  return fs::is_directory(kept_) ? difference_of_folders(kept_, output_) : difference_of_files(kept_, output_);
}

}  // namespace pystream::cli
