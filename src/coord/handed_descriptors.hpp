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

  /// Opens the FIFOs that sources read, and replaces their paths likewise. Held by the coordinator, a FIFO does not
  /// lose what is in it while a worker is restarted, its writer is not killed by SIGPIPE, and its end is still known
  /// after that. For runs only: whoever looks at a plan must not open, and close, the reader's end. Throws Error.
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
