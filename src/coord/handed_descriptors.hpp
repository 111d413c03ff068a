#pragma once

#include <map>
#include <string>
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
  /// Replaces the paths in `plan`, as far as the descriptors are open: by "-" for standard input and output, else by
  /// the number under which the worker gets it. A symbolic link to such a path counts as the path.
  HandedDescriptors(plan::Plan& plan, plan::TypeCatalog types);

  /// Opens the FIFOs that sources read, and replaces their paths likewise. While the coordinator holds a FIFO open, its
  /// content survives the restart of a worker, its writer gets no SIGPIPE, and the successor still sees the end of the
  /// data. Only for runs: a command that inspects a plan must not open a FIFO, because its close would send SIGPIPE to
  /// the writer. Throws std::system_error.
  void open_input_fifos(plan::Plan& plan, plan::TypeCatalog types);

  /// Those that the claims of each worker name, in order.
  std::map<plan::WorkerId, std::vector<int>> of_workers(const std::vector<FileClaim>& claims) const;

 private:
  /// Calls `visit(node, parameter, path)` for each path that a stage reads or writes.
  template <class Visit>
  static void for_each_path(plan::Node& node, plan::TypeCatalog types, const Visit& visit);
  void hand_over(plan::Node& node, const ParamSpec& spec, const std::string& path);
  void hand_over_as(plan::Node& node, const ParamSpec& spec, base::UniqueFd fd);

  std::vector<base::UniqueFd> fds_;
};

}  // namespace pystream::coord
