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
#include <variant>

#include "base/system_error.hpp"
#include "plan/json.hpp"
#include "plan/param_check.hpp"

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

/// What this process opened itself closes at an exec; a descriptor from its parent cannot.
bool is_inherited(int fd) {
  const int flags = ::fcntl(fd, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) == 0;
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
    const ParamValue* given = node.stage->params.find(spec.name);
    if (given == nullptr || (spec.file != FileUse::reads && spec.file != FileUse::writes)) {
      continue;
    }
    ParamValue value = *given;
    const Place place{.where = plan::pointer_to(plan::pointer_to(node.where, "params"), spec.name), .use = spec.file};
    if (auto* path = std::get_if<std::string>(&value)) {
      visit(place, *path);
    } else if (auto* list = std::get_if<ParamList>(&value)) {
      for (ParamValue& entry : *list) {
        if (auto* listed = std::get_if<std::string>(&entry)) {
          visit(place, *listed);
        }
      }
    }
    node.stage->params.set(spec.name, std::move(value));
  }
}

HandedDescriptors::HandedDescriptors(plan::Plan& plan, plan::TypeCatalog types) {
  for (plan::Node* node : {&plan.source, &plan.sink, &plan.root}) {
    for_each_path(*node, types, [&](const Place& place, std::string& path) { hand_over(place, path); });
  }
}

void HandedDescriptors::hand_over(const Place& place, std::string& path) {
  const auto fd = descriptor_behind(path);
  if (!fd) {
    return;
  }
  if (*fd == (place.use == FileUse::reads ? STDIN_FILENO : STDOUT_FILENO)) {
    path = "-";
    return;
  }
  base::UniqueFd copy(is_inherited(*fd) ? ::fcntl(*fd, F_DUPFD_CLOEXEC, kFirstHandedFd) : -1);
  if (copy) {
    hand_over_as(path, std::move(copy));
  } else {
    missing_.emplace_back(place.where, path);
  }
}

void HandedDescriptors::hand_over_as(std::string& path, base::UniqueFd fd) {
  path = "/dev/fd/" + std::to_string(fd.get());
  fds_.push_back(std::move(fd));
}

void HandedDescriptors::open_input_fifos(plan::Plan& plan, plan::TypeCatalog types) {
  for_each_path(plan.source, types, [&](const Place& place, std::string& path) {
    struct stat info {};
    if (place.use != FileUse::reads || descriptor_named(path) || ::stat(path.c_str(), &info) != 0 ||
        !S_ISFIFO(info.st_mode)) {
      return;
    }
    const base::UniqueFd opened(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    base::UniqueFd fd(opened ? ::fcntl(opened.get(), F_DUPFD_CLOEXEC, kFirstHandedFd) : -1);
    if (!fd) {
      base::throw_errno("cannot open the FIFO " + path);
    }
    hand_over_as(path, std::move(fd));
  });
}

std::vector<plan::PlanFault> HandedDescriptors::not_open(const std::vector<FileClaim>& claims) const {
  std::vector<plan::PlanFault> faults;
  for (const auto& [where, path] : missing_) {
    const auto is_meant = [&where = where, &path = path](const FileClaim& claim) {
      return claim.where == where && claim.path == path;
    };
    if (std::ranges::any_of(claims, is_meant)) {
      faults.push_back({.where = where,
                        .found = plan::in_quotes(path) + ", a descriptor that is not open",
                        .expected = "a descriptor that was open when pystream-coord was started, such as 3 after "
                                    "3< FILE or 3> FILE",
                        .hint = {}});
    }
  }
  return faults;
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
