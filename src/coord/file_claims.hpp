#pragma once

#include <pystream/params.hpp>
#include <string>
#include <vector>

#include "plan/plan_json.hpp"
#include "plan/topology.hpp"

namespace pystream::coord {

/// A file or folder that a stage of a plan reads or writes, by what its type declares (ParamSpec::file).
struct FileClaim {
  std::string where;  ///< JSON pointer of the parameter, for messages
  std::string stage;  ///< profile key
  plan::WorkerId worker = 0;
  FileUse use = FileUse::reads;  ///< reads or writes
  std::string path;              ///< "-": standard input or output
  std::string names;             ///< in a folder: the pattern or template of the names; empty: all
  bool recursive = false;

  bool standard() const { return path == "-"; }
};

std::vector<FileClaim> file_claims(const plan::Topology& topology, plan::TypeCatalog types);

/// A fault for each output that is an input, by device and inode: the same file by whatever name, a file in a folder
/// that is read, if its name fits, or a file to which an entry of such a folder leads. `standard_too`: standard input
/// and output count, as they do for a run.
std::vector<plan::PlanFault> outputs_that_are_inputs(const std::vector<FileClaim>& claims, bool standard_too);

}  // namespace pystream::coord
