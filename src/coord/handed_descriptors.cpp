#include "coord/handed_descriptors.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

namespace pystream::coord {
namespace {

namespace fs = std::filesystem;

/// Above those that a worker program gets for other ends.
constexpr int kFirstHandedFd = 10;
constexpr int kMostLinks = 8;

std::optional<int> descriptor_behind(fs::path path) {
  for (int links = 0; links < kMostLinks; ++links) {
    if (const auto fd = descriptor_named(path.native())) {
      return fd;
    }
    std::error_code error;
    const fs::path target = fs::read_symlink(path, error);
    if (error) {
      return std::nullopt;
    }
    path = path.parent_path() / target;
  }
  return std::nullopt;
}

}  // namespace

HandedDescriptors::HandedDescriptors(plan::Plan& plan, plan::TypeCatalog types) {
  for (plan::Node* node : {&plan.source, &plan.sink, &plan.root}) {
    hand_over(*node, types);
  }
}

void HandedDescriptors::hand_over(plan::Node& node, plan::TypeCatalog types) {
  for (plan::Node& child : node.children) {
    hand_over(child, types);
  }
  const auto type = node.stage ? std::ranges::find(types, node.stage->type, &StageType::name) : types.end();
  if (type == types.end()) {
    return;
  }
  for (const ParamSpec& spec : type->info.params) {
    const ParamValue* value = node.stage->params.find(spec.name);
    const auto* path = value == nullptr ? nullptr : std::get_if<std::string>(value);
    const bool used = spec.file == FileUse::reads || spec.file == FileUse::writes;
    const auto fd = used && path != nullptr ? descriptor_behind(*path) : std::nullopt;
    if (!fd) {
      continue;
    }
    if (*fd == (spec.file == FileUse::reads ? STDIN_FILENO : STDOUT_FILENO)) {
      node.stage->params.set(spec.name, "-");
    } else if (base::UniqueFd copy(::fcntl(*fd, F_DUPFD_CLOEXEC, kFirstHandedFd)); copy) {
      node.stage->params.set(spec.name, "/dev/fd/" + std::to_string(copy.get()));
      fds_.push_back(std::move(copy));
    }
  }
}

std::map<plan::WorkerId, std::vector<int>> HandedDescriptors::of_workers(const std::vector<FileClaim>& claims) const {
  std::map<plan::WorkerId, std::vector<int>> handed;
  for (const FileClaim& claim : claims) {
    const auto fd = descriptor_named(claim.path);
    if (fd && std::ranges::find(fds_, *fd, &base::UniqueFd::get) != fds_.end()) {
      handed[claim.worker].push_back(*fd);
    }
  }
  for (auto& [worker, fds] : handed) {
    std::ranges::sort(fds);
  }
  return handed;
}

}  // namespace pystream::coord
