#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "coord/file_claims.hpp"
#include "plan/plan.hpp"
#include "plan/plan_json.hpp"

namespace pystream::coord {

/// Descriptors of this process that stages of a plan name, such as /dev/fd/63 of a shell's <(command). A worker that
/// opened such a path would find its own descriptors, so the coordinator hands it the one that is meant.
class HandedDescriptors {
 public:
  HandedDescriptors() = default;
  /// Replaces the paths in `plan`, as far as this process inherited the descriptors: by "-" for standard input and
  /// output, else by the number under which the worker gets it. A symbolic link to such a path counts as the path.
  HandedDescriptors(plan::Plan& plan, plan::TypeCatalog types);

  /// Opens the FIFOs that sources read, and replaces their paths likewise. While the coordinator holds a FIFO open, its
  /// content survives the restart of a worker, its writer gets no SIGPIPE, and the successor still sees the end of the
  /// data. Only for runs: a command that inspects a plan must not open a FIFO, because its close would send SIGPIPE to
  /// the writer. Throws std::system_error.
  void open_input_fifos(plan::Plan& plan, plan::TypeCatalog types);

  /// A fault for each claim whose descriptor was not replaced: in a worker its number could mean the shared memory.
  std::vector<plan::PlanFault> not_open(const std::vector<FileClaim>& claims) const;

  /// Those that the claims of each worker name, in order.
  std::map<plan::WorkerId, std::vector<int>> of_workers(const std::vector<FileClaim>& claims) const;

 private:
  struct Place {
    std::string where;  ///< JSON pointer of the parameter
    FileUse use = FileUse::reads;
  };

  /// Calls `visit(place, path)` for each path that a stage reads or writes; it may replace the path.
  template <class Visit>
  static void for_each_path(plan::Node& node, plan::TypeCatalog types, const Visit& visit);
  void hand_over(const Place& place, std::string& path);
  void hand_over_as(std::string& path, base::UniqueFd fd);

  std::vector<base::UniqueFd> fds_;
  std::vector<std::pair<std::string, std::string>> missing_;  ///< parameter and path
};

}  // namespace pystream::coord
