#include "coord/handed_descriptors.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "base/system_error.hpp"

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

template <class Visit>
void HandedDescriptors::for_each_path(plan::Node& node, plan::TypeCatalog types, const Visit& visit) {
  for (plan::Node& child : node.children) {
    for_each_path(child, types, visit);
  }
  const auto type = node.stage ? std::ranges::find(types, node.stage->type, &StageType::name) : types.end();
  if (type == types.end()) {
    return;
  }
  for (const ParamSpec& spec : type->info.params) {
    const ParamValue* value = node.stage->params.find(spec.name);
    const auto* path = value == nullptr ? nullptr : std::get_if<std::string>(value);
    if (path != nullptr && (spec.file == FileUse::reads || spec.file == FileUse::writes)) {
      visit(node, spec, std::string(*path));
    }
  }
}

HandedDescriptors::HandedDescriptors(plan::Plan& plan, plan::TypeCatalog types) {
  for (plan::Node* node : {&plan.source, &plan.sink, &plan.root}) {
    for_each_path(*node, types,
                  [&](plan::Node& of, const ParamSpec& spec, const std::string& path) { hand_over(of, spec, path); });
  }
}

void HandedDescriptors::hand_over(plan::Node& node, const ParamSpec& spec, const std::string& path) {
  const auto fd = descriptor_behind(path);
  if (!fd) {
    return;
  }
  if (*fd == (spec.file == FileUse::reads ? STDIN_FILENO : STDOUT_FILENO)) {
    node.stage->params.set(spec.name, "-");
  } else if (base::UniqueFd copy(::fcntl(*fd, F_DUPFD_CLOEXEC, kFirstHandedFd)); copy) {
    hand_over_as(node, spec, std::move(copy));
  }
}

void HandedDescriptors::hand_over_as(plan::Node& node, const ParamSpec& spec, base::UniqueFd fd) {
  node.stage->params.set(spec.name, "/dev/fd/" + std::to_string(fd.get()));
  fds_.push_back(std::move(fd));
}

void HandedDescriptors::open_input_fifos(plan::Plan& plan, plan::TypeCatalog types) {
  for_each_path(plan.source, types, [&](plan::Node& node, const ParamSpec& spec, const std::string& path) {
    struct stat info {};
    if (spec.file != FileUse::reads || descriptor_named(path) || ::stat(path.c_str(), &info) != 0 ||
        !S_ISFIFO(info.st_mode)) {
      return;
    }
    const base::UniqueFd opened(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    base::UniqueFd fd(opened ? ::fcntl(opened.get(), F_DUPFD_CLOEXEC, kFirstHandedFd) : -1);
    if (!fd) {
      base::throw_errno("cannot open the FIFO " + path);
    }
    hand_over_as(node, spec, std::move(fd));
  });
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
