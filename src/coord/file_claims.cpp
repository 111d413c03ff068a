#include "coord/file_claims.hpp"

#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "coord/name_pattern.hpp"
#include "plan/json.hpp"
#include "plan/param_check.hpp"
#include "plan/stage_names.hpp"
#include "plan/topology.hpp"

namespace pystream::coord {
namespace {

namespace fs = std::filesystem;

using FileId = std::pair<dev_t, ino_t>;

constexpr int kMostLinks = 40;  // as the kernel follows

std::optional<struct stat> look_at(const FileClaim& claim) {
  struct stat info {};
  const int fd = claim.use == FileUse::reads ? STDIN_FILENO : STDOUT_FILENO;
  const int result = claim.standard() ? ::fstat(fd, &info) : ::stat(claim.path.c_str(), &info);
  return result == 0 ? std::optional(info) : std::nullopt;
}

FileId id_of(const struct stat& info) {
  return {info.st_dev, info.st_ino};
}

std::optional<FileId> id_of(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? std::optional(id_of(info)) : std::nullopt;
}

/// Terminals, sockets and devices like /dev/null are read and written at once with good reason.
bool can_be_spoilt(const struct stat& info) {
  return S_ISREG(info.st_mode) || S_ISBLK(info.st_mode) || S_ISFIFO(info.st_mode);
}

/// The path without symbolic links, as far as it exists. A link to a file that does not exist yet is followed too: what
/// is written to the link makes that file.
fs::path real_path(fs::path path) {
  std::error_code error;
  for (int links = 0; links < kMostLinks && fs::is_symlink(path, error) && !fs::exists(path, error); ++links) {
    path = path.parent_path() / fs::read_symlink(path, error);
  }
  path = fs::weakly_canonical(fs::absolute(path, error), error);
  return path.has_filename() ? path : path.parent_path();
}

fs::path path_of(const FileClaim& claim) {
  const int fd = claim.use == FileUse::reads ? STDIN_FILENO : STDOUT_FILENO;
  return claim.standard() ? "/proc/self/fd/" + std::to_string(fd) : claim.path;
}

/// Is `path` in that folder, directly or (`below`) further down?
bool is_in(const fs::path& path, const FileId& folder, bool below) {
  for (fs::path parent = path.parent_path(); !parent.empty(); parent = parent.parent_path()) {
    if (id_of(parent) == folder) {
      return true;
    }
    if (!below || parent == parent.root_path()) {
      break;
    }
  }
  return false;
}

/// What a claim stands for in the file system.
struct Place {
  explicit Place(const FileClaim& of) : claim(of), found(look_at(of)), path(real_path(path_of(of))) {
    is_folder = found ? S_ISDIR(found->st_mode) : of.use == FileUse::writes && !of.names.empty();
    names = of.use == FileUse::reads ? NamePattern::shell(of.names) : NamePattern::braces(of.names);
  }

  /// Does a folder's pattern or template fit this name?
  bool takes(const std::string& name) const {
    if (claim.use == FileUse::writes) {
      return names.meets(NamePattern::name(name));
    }
    return ::fnmatch(claim.names.empty() ? "*" : claim.names.c_str(), name.c_str(), FNM_PERIOD) == 0;
  }
  /// Is this folder the direct parent of that path?
  bool holds(const fs::path& real) const {
    return found ? is_in(real, id_of(*found), false) : real.parent_path() == path;
  }

  const FileClaim& claim;
  std::optional<struct stat> found;
  fs::path path;
  bool is_folder = false;
  NamePattern names;
};

bool same_file(const Place& input, const Place& output) {
  return input.found && output.found && id_of(*input.found) == id_of(*output.found) && can_be_spoilt(*input.found);
}

bool spoils(const Place& input, const Place& output) {
  if (!input.is_folder && !output.is_folder) {
    return same_file(input, output);
  }
  if (!input.found) {
    return false;
  }
  if (!input.is_folder) {  // a file that is read, a folder that is written
    return output.holds(input.path) && output.takes(input.path.filename().string());
  }
  const FileId folder = id_of(*input.found);
  const bool recursive = input.claim.recursive;
  if (!output.is_folder) {
    return is_in(output.path, folder, recursive) && input.takes(output.path.filename().string());
  }
  const bool same_folder = output.found && id_of(*output.found) == folder;
  return (same_folder || (recursive && is_in(output.path, folder, true))) && input.names.meets(output.names);
}

/// Does this entry of a folder that is read lead to the output? A hard link to a file of an output folder does not: a
/// new file takes that name.
bool leads_to(const Place& output, const fs::directory_entry& entry) {
  std::error_code error;
  const bool link = entry.is_symlink(error);
  if (!output.is_folder) {
    return output.found ? can_be_spoilt(*output.found) && id_of(entry.path()) == id_of(*output.found)
                        : link && real_path(entry.path()) == output.path;
  }
  const fs::path real = link ? real_path(entry.path()) : fs::path();
  return link && output.holds(real) && output.takes(real.filename().string());
}

/// The file in a folder that is read which leads to the output. The entries are those that the source "files" takes.
std::optional<fs::path> entry_that_leads_to(const Place& output, const Place& input, const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    std::error_code ignored;
    if (!fs::is_directory(entries->symlink_status(ignored))) {
      if (input.takes(name) && leads_to(output, *entries)) {
        return entries->path();
      }
    } else if (input.claim.recursive && !name.starts_with('.')) {
      if (auto found = entry_that_leads_to(output, input, entries->path())) {
        return found;
      }
    }
  }
  return std::nullopt;
}

std::string shown(const FileClaim& claim) {
  if (claim.standard()) {
    return claim.use == FileUse::reads ? "standard input" : "standard output";
  }
  return plan::in_quotes(claim.path);
}

/// `input`: what is read there, as the message names it.
plan::PlanFault fault(const Place& reader, const Place& writer, const std::string& relation, const std::string& input) {
  return {.where = writer.claim.where,
          .found = shown(writer.claim) + relation + reader.claim.stage + " (" + input + ")",
          .expected = "another output: the output file is also the input, and would be overwritten",
          .hint = {}};
}

std::optional<plan::PlanFault> fault_of(const Place& reader, const Place& writer) {
  constexpr const char* kIs = ", which is the input of ";
  if (spoils(reader, writer)) {
    const bool folder = reader.is_folder || writer.is_folder;
    return fault(reader, writer, folder ? ", where what is written could be read by " : kIs, shown(reader.claim));
  }
  const auto entry = reader.is_folder ? entry_that_leads_to(writer, reader, reader.claim.path) : std::nullopt;
  if (!entry) {
    return std::nullopt;
  }
  return fault(reader, writer, writer.is_folder ? ", where an item could replace the input of " : kIs,
               plan::in_quotes(entry->string()));
}

/// Two sinks would overwrite one another. Standard output may be shared.
bool write_the_same(const Place& one, const Place& other) {
  if (one.claim.where == other.claim.where || one.claim.standard() || other.claim.standard()) {
    return false;
  }
  const bool same = one.path == other.path || (one.found && other.found && id_of(*one.found) == id_of(*other.found));
  if (one.is_folder && other.is_folder) {
    return same && one.names.meets(other.names);
  }
  if (one.is_folder || other.is_folder) {
    const Place& folder = one.is_folder ? one : other;
    const Place& file = one.is_folder ? other : one;
    return folder.holds(file.path) && folder.takes(file.path.filename().string());
  }
  return same && (!one.found || can_be_spoilt(*one.found));
}

std::vector<std::string> texts_of(const ParamValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return {*text};
  }
  std::vector<std::string> texts;
  if (const auto* list = std::get_if<ParamList>(&value)) {
    for (const ParamValue& entry : *list) {
      if (const auto* text = std::get_if<std::string>(&entry)) {
        texts.push_back(*text);
      }
    }
  }
  return texts;
}

/// The claims of one stage, parameter by parameter.
class ClaimReader {
 public:
  ClaimReader(const plan::PlacedStage& placed, std::vector<FileClaim>& claims) : placed_(placed), claims_(claims) {}

  void read(const ParamSpec& spec) {
    const ParamValue* value = placed_.node->stage->params.find(spec.name);
    if (value == nullptr) {
      return;
    }
    switch (spec.file) {
      case FileUse::none:
        return;
      case FileUse::reads:
      case FileUse::writes:
        first_ = claims_.size();
        for (std::string& path : texts_of(*value)) {
          add(spec.file, std::move(path), plan::pointer_to(plan::pointer_to(placed_.node->where, "params"), spec.name));
        }
        return;
      case FileUse::names:
        for (std::size_t i = first_; i < claims_.size(); ++i) {
          claims_[i].names = std::holds_alternative<std::string>(*value) ? std::get<std::string>(*value) : "";
        }
        return;
      case FileUse::recursive:
        for (std::size_t i = first_; i < claims_.size(); ++i) {
          claims_[i].recursive = *value == ParamValue(true);
        }
    }
  }

  void add(FileUse use, std::string path, std::string where) {
    if (!path.empty()) {
      claims_.push_back({.where = std::move(where),
                         .stage = plan::short_key(placed_.key),
                         .worker = placed_.worker,
                         .use = use,
                         .path = std::move(path),
                         .names = {}});
    }
  }

 private:
  const plan::PlacedStage& placed_;
  std::vector<FileClaim>& claims_;
  std::size_t first_ = 0;  ///< of the parameter that was read last
};

}  // namespace

std::vector<FileClaim> file_claims(const plan::Topology& topology, plan::TypeCatalog types) {
  std::vector<FileClaim> claims;
  for (const plan::PlacedStage& placed : topology.stages) {
    const auto type = std::ranges::find(types, placed.node->stage->type, &StageType::name);
    if (type == types.end()) {
      continue;
    }
    ClaimReader reader(placed, claims);
    std::ranges::for_each(type->info.params, [&](const ParamSpec& spec) { reader.read(spec); });
    if (type->info.writes_standard_output) {
      reader.add(FileUse::writes, "-", placed.node->where);
    }
  }
  return claims;
}

std::vector<plan::PlanFault> outputs_that_are_inputs(const std::vector<FileClaim>& claims, bool standard_too) {
  std::vector<plan::PlanFault> faults;
  std::vector<Place> inputs;
  std::vector<Place> outputs;
  for (const FileClaim& claim : claims) {
    if (standard_too || !claim.standard()) {
      (claim.use == FileUse::reads ? inputs : outputs).emplace_back(claim);
    }
  }
  for (const Place& output : outputs) {
    for (const Place& input : inputs) {
      if (auto fault = fault_of(input, output)) {
        faults.push_back(std::move(*fault));
      }
    }
    for (const Place& before : outputs) {
      if (&before == &output) {
        break;
      }
      if (write_the_same(before, output)) {
        faults.push_back({.where = output.claim.where,
                          .found = shown(output.claim) + ", which " + before.claim.stage + " also writes",
                          .expected = "an output for each sink: they would overwrite one another",
                          .hint = {}});
      }
    }
  }
  return faults;
}

}  // namespace pystream::coord
