#include "cli/compare_output.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;

std::string difference_of_files(const fs::path& kept, const fs::path& now) {
  std::ifstream a(kept, std::ios::binary);
  std::ifstream b(now, std::ios::binary);
  if (!b) {
    return "cannot be read";
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
      return "differs from byte " + std::to_string(offset + static_cast<std::uint64_t>(differ.first - from_a.begin())) +
             " on";
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

}  // namespace

std::string difference_of(const fs::path& before, const fs::path& after) {
  const std::set<fs::path> old_files = files_in(before);
  const std::set<fs::path> new_files = files_in(after);
  if (old_files != new_files) {
    return "the output has " + std::to_string(new_files.size()) + " files, without faults it had " +
           std::to_string(old_files.size()) + ", or others";
  }
  for (const fs::path& file : old_files) {
    if (std::string difference = difference_of_files(before / file, after / file); !difference.empty()) {
      return file.string() + " " + difference;
    }
  }
  return {};
}

}  // namespace pystream::cli
