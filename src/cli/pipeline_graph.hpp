#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/text_table.hpp"
#include "plan/plan.hpp"
#include "plan/topology.hpp"

namespace pystream::cli {

/// What `graph` draws: boxes in boxes, and what goes from one to the other.
struct Box {
  enum class Kind {
    host,      ///< what runs there, of a plan over several hosts
    pipeline,  ///< parallel, or branches: a frame around processes
    process,   ///< the worker of a serial pipeline
    group,     ///< a serial pipeline inside a process
    source,
    stage,
    sink,
    handover,  ///< where a process passes items on without a stage of its own
    user,      ///< the user's process: forward() or get_results()
  };
  Kind kind = Kind::stage;
  std::string id;                    ///< letters and digits
  std::string name;                  ///< last part of the profile key
  std::string type;                  ///< of a stage
  bool own_process = false;          ///< a stage that is a worker by itself
  std::optional<plan::Join> join{};  ///< of branches
  std::vector<Box> inside;

  bool is_leaf() const { return kind >= Kind::source; }
};

struct Arrow {
  enum class Kind { link, call };  ///< between processes, or from stage to stage inside one
  Kind kind = Kind::link;
  std::string from;  ///< ids of leaves
  std::string to;
  std::string label;  ///< what of a link is not the default
};

struct PipelineGraph {
  std::string title;
  std::vector<Box> boxes;  ///< in the order of the items' way
  std::vector<Arrow> arrows;
};

/// What kind of frame a pipeline is: "parallel" or "branches, zip".
std::string frame_note(const Box& box);

/// REQUIRES: `topology` was made from `plan`.
PipelineGraph make_graph(const plan::Plan& plan, const plan::Topology& topology, std::string title);

std::string render_text(const PipelineGraph& graph, const base::TextTable::Look& look);
std::string render_dot(const PipelineGraph& graph);
std::string render_mermaid(const PipelineGraph& graph);

}  // namespace pystream::cli
