#include "coord/file_claims.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <tuple>
#include <variant>

#include "coord/name_pattern.hpp"
#include "plan/json.hpp"
#include "plan/param_check.hpp"
#include "plan/topology.hpp"

namespace pystream::coord {
namespace {

namespace fs = std::filesystem;

using FileId = std::pair<dev_t, ino_t>;

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

/// Where a claim stands: its path without symbolic links, as far as it exists.
fs::path real_path(const FileClaim& claim) {
  std::error_code error;
  const int fd = claim.use == FileUse::reads ? STDIN_FILENO : STDOUT_FILENO;
  const fs::path named = claim.standard() ? "/proc/self/fd/" + std::to_string(fd) : claim.path;
  const fs::path path = fs::weakly_canonical(fs::absolute(named, error), error);
  return path.has_filename() ? path : path.parent_path();
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
  explicit Place(const FileClaim& claim) : found(look_at(claim)), path(real_path(claim)) {
    is_folder = found ? S_ISDIR(found->st_mode) : claim.use == FileUse::writes && !claim.names.empty();
    names = claim.use == FileUse::reads ? NamePattern::shell(claim.names) : NamePattern::braces(claim.names);
  }

  std::optional<struct stat> found;
  fs::path path;
  bool is_folder = false;
  NamePattern names;
};

bool same_file(const Place& input, const Place& output) {
  return input.found && output.found && id_of(*input.found) == id_of(*output.found) && can_be_spoilt(*input.found);
}

NamePattern own_name(const Place& place) {
  return NamePattern::name(place.path.filename().string());
}

bool spoils(const FileClaim& reader, const Place& input, const Place& output) {
  if (!input.is_folder && !output.is_folder) {
    return same_file(input, output);
  }
  if (!input.found) {
    return false;
  }
  if (!input.is_folder) {  // a file that is read, a folder that is written
    return output.found && is_in(input.path, id_of(*output.found), false) && own_name(input).meets(output.names);
  }
  const FileId folder = id_of(*input.found);
  if (!output.is_folder) {
    return is_in(output.path, folder, reader.recursive) && input.names.meets(own_name(output));
  }
  const bool same_folder = output.found && id_of(*output.found) == folder;
  return (same_folder || (reader.recursive && is_in(output.path, folder, true))) && input.names.meets(output.names);
}

std::string shown(const FileClaim& claim) {
  if (claim.standard()) {
    return claim.use == FileUse::reads ? "standard input" : "standard output";
  }
  return plan::in_quotes(claim.path);
}

plan::PlanFault fault(const FileClaim& reader, const Place& input, const FileClaim& writer, const Place& output) {
  std::string what = shown(writer) + ", which is the input of " + reader.stage;
  if (input.is_folder || output.is_folder) {
    what = shown(writer) + ", where what is written could be read by " + reader.stage;
  }
  return {.where = writer.where,
          .found = what + " (" + shown(reader) + ")",
          .expected = "another output: the input file is the output file, and would be destroyed",
          .hint = {}};
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
  ClaimReader(const plan::HostedSpec& hosted, std::vector<FileClaim>& claims) : hosted_(hosted), claims_(claims) {}

  void read(const ParamSpec& spec) {
    const ParamValue* value = hosted_.node->stage->params.find(spec.name);
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
          add(spec.file, std::move(path), plan::pointer_to(plan::pointer_to(hosted_.node->where, "params"), spec.name));
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
                         .stage = hosted_.key.substr(hosted_.key.find(plan::kSeparator) + plan::kSeparator.size()),
                         .worker = hosted_.worker,
                         .use = use,
                         .path = std::move(path),
                         .names = {}});
    }
  }

 private:
  const plan::HostedSpec& hosted_;
  std::vector<FileClaim>& claims_;
  std::size_t first_ = 0;  ///< of the parameter that was read last
};

}  // namespace

std::vector<FileClaim> file_claims(const plan::Topology& topology, plan::TypeCatalog types) {
  std::vector<FileClaim> claims;
  for (const plan::HostedSpec& hosted : topology.hosted) {
    const auto type = std::ranges::find(types, hosted.node->stage->type, &StageType::name);
    if (type == types.end()) {
      continue;
    }
    ClaimReader reader(hosted, claims);
    std::ranges::for_each(type->info.params, [&](const ParamSpec& spec) { reader.read(spec); });
    if (type->info.writes_standard_output) {
      reader.add(FileUse::writes, "-", hosted.node->where);
    }
  }
  return claims;
}

std::vector<plan::PlanFault> outputs_that_are_inputs(const std::vector<FileClaim>& claims, bool standard_too) {
  std::vector<plan::PlanFault> faults;
  std::vector<std::pair<const FileClaim*, Place>> inputs;
  std::vector<std::pair<const FileClaim*, Place>> outputs;
  for (const FileClaim& claim : claims) {
    if (standard_too || !claim.standard()) {
      (claim.use == FileUse::reads ? inputs : outputs).emplace_back(&claim, claim);
    }
  }
  for (const auto& [writer, output] : outputs) {
    for (const auto& [reader, input] : inputs) {
      if (spoils(*reader, input, output)) {
        faults.push_back(fault(*reader, input, *writer, output));
      }
    }
  }
  return faults;
}

}  // namespace pystream::coord
