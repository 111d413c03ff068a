#include "cli/pipeline_graph.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/number_text.hpp"
#include "cli/text.hpp"
#include "plan/hosts.hpp"
#include "plan/stage_names.hpp"

namespace pystream::cli {
namespace {

using plan::EndKind;
using plan::Mode;
using plan::Node;
using plan::StageId;
using plan::WorkerId;

std::string stage_id(StageId id) {
  return "s" + std::to_string(id);
}

std::string handover_id(plan::SegmentRef at) {
  return "w" + std::to_string(at.worker) + "x" + std::to_string(at.index);
}

std::string joined_key(const std::string& key, const std::string& name) {
  return std::string(key).append(plan::kSeparator).append(name);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The replicas of a stage or pipeline are drawn once: the worker of the first one.
std::string first_replica(std::string_view worker) {
  std::string out;
  for (std::size_t at = 0; at < worker.size(); ++at) {
    out += worker[at];
    if (worker[at] == plan::kReplica && at + 1 < worker.size() && is_digit(worker[at + 1])) {
      out += '1';
      while (at + 1 < worker.size() && is_digit(worker[at + 1])) {
        ++at;
      }
    }
  }
  return out;
}

/// Follows the plan as make_topology() does, and finds everything again by its profile key.
class Builder {
 public:
  Builder(const plan::Plan& plan, const plan::Topology& topology) : plan_(plan), topology_(topology) {
    for (StageId id = 0; id < topology.stages.size(); ++id) {
      stages_.emplace(topology.stages[id].node, id);  // of replicas the first
    }
    for (WorkerId id = 0; id < topology.workers.size(); ++id) {
      workers_[topology.workers[id].name] = id;
    }
  }

  std::vector<Box> boxes() {
    const std::string key(plan::kMainPipeline);
    std::vector<Box> out;
    if (plan_.entry == EndKind::external) {
      out.push_back(user(plan::kEntry));
    }
    if (plan_.root.mode == Mode::serial) {
      Box main{.kind = Box::Kind::process, .id = next_id(), .name = key, .type = {}};
      plan::SegmentRef row = begin_row(key, main.inside);
      add_end(plan_.entry, plan_.source, Box::Kind::source, false, main.inside);
      add_row(plan_.root, key, row, main.inside);
      add_end(plan_.exit, plan_.sink, Box::Kind::sink, false, main.inside);
      out.push_back(std::move(main));
    } else {
      add_end(plan_.entry, plan_.source, Box::Kind::source, true, out);
      if (plan_.root.branches()) {
        Box box = frame(plan_.root, Box::Kind::pipeline);
        add_members(plan_.root, key, box.inside);
        out.push_back(std::move(box));
      } else {
        add_members(plan_.root, key, out);
      }
      add_end(plan_.exit, plan_.sink, Box::Kind::sink, true, out);
      if (!plan_.root.branches()) {
        out = by_host(std::move(out));
      }
    }
    if (plan_.exit == EndKind::external) {
      out.push_back(user(plan::kExit));
    }
    return out;
  }

  std::vector<Arrow> arrows() const {
    std::vector<Arrow> out;
    for (WorkerId worker = 0; worker < topology_.workers.size(); ++worker) {
      for (const plan::Segment& segment : topology_.workers[worker].segments) {
        for (std::size_t i = 1; i < segment.stages.size(); ++i) {
          add(out, {Arrow::Kind::call, id_of(segment.stages[i - 1]), id_of(segment.stages[i]), {}});
        }
      }
    }
    for (const plan::LinkSpec& link : topology_.links) {
      for (const plan::SegmentRef consumer : link.consumers) {
        if (is_drawn(consumer)) {
          for (const std::string& from : last_leaves(link.producer)) {
            add(out, {Arrow::Kind::link, from, first_leaf(consumer), label(link)});
          }
        }
      }
    }
    return out;
  }

 private:
  /// Replicas have the same arrows.
  static void add(std::vector<Arrow>& arrows, Arrow arrow) {
    const auto same = [&](const Arrow& other) { return other.from == arrow.from && other.to == arrow.to; };
    if (std::ranges::none_of(arrows, same)) {
      arrows.push_back(std::move(arrow));
    }
  }
  std::string id_of(StageId id) const { return stage_id(stages_.at(topology_.stages[id].node)); }
  /// A worker that only deals to replicas, or collects from them, is not.
  bool is_drawn(plan::SegmentRef at) const {
    const std::string& name = topology_.workers[at.worker].name;
    const std::size_t mark = name.rfind(plan::kReplica);
    const std::string_view part = mark == std::string::npos ? "" : std::string_view(name).substr(mark + 1);
    return part != plan::kDealer && part != plan::kCollector;
  }
  static std::string shown_name(const std::string& name, const Node& node) {
    const bool in_turn = node.replicas <= 1 || node.share.by == ShareBy::turn;
    const char* const by = in_turn ? "" : node.share.by == ShareBy::key ? ", by key" : ", by load";
    return plan::replicas_name(name, node.replicas) + by;
  }
  static std::string replica_key(const std::string& key, const Node& node) {
    return node.replicas > 1 ? key + plan::kReplica + "1" : key;
  }

  /// The boxes of the main pipeline's members in one for each host, if there are several.
  std::vector<Box> by_host(std::vector<Box> boxes) {
    const std::vector<plan::Member> members = plan::members_of(plan_);
    if (boxes.size() != members.size() || plan::hosts_of(plan_).size() < 2) {
      return boxes;
    }
    std::vector<Box> hosts;
    for (std::size_t i = 0; i < boxes.size(); ++i) {
      if (hosts.empty() || hosts.back().name != members[i].host) {
        hosts.push_back({.kind = Box::Kind::host, .id = next_id(), .name = members[i].host, .type = {}});
      }
      hosts.back().inside.push_back(std::move(boxes[i]));
    }
    return hosts;
  }

  std::string next_id() { return "b" + std::to_string(boxes_++); }

  Box user(std::string_view end) {
    const WorkerId worker = workers_.at(joined_key(std::string(plan::kMainPipeline), std::string(end)));
    return {.kind = Box::Kind::user, .id = handover_id({worker, 0}), .name = "your program", .type = {}};
  }

  Box leaf(const Node& node, Box::Kind kind, bool own_process) const {
    const StageId id = stages_.at(&node);
    const std::string key = plan::without_replicas(topology_.stages[id].key);
    return {.kind = kind,
            .id = stage_id(id),
            .name = shown_name(key.substr(key.rfind(plan::kSeparator) + plan::kSeparator.size()), node),
            .type = node.stage->type,
            .own_process = own_process};
  }

  void add_end(EndKind end, const Node& node, Box::Kind kind, bool own_process, std::vector<Box>& into) {
    if (end == EndKind::stage) {
      into.push_back(leaf(node, kind, own_process));
    }
  }

  /// Of a pipeline without a worker of its own: a parallel one, or branches.
  void add_members(const Node& pipeline, const std::string& key, std::vector<Box>& into) {
    for (const Node& child : pipeline.children) {
      const std::string child_key = replica_key(joined_key(key, child.name), child);
      if (!child.is_pipeline()) {
        into.push_back(leaf(child, child.kind == StageKind::sink ? Box::Kind::sink : Box::Kind::stage, true));
        continue;
      }
      Box box = frame(child, child.mode == Mode::serial ? Box::Kind::process : Box::Kind::pipeline);
      if (child.mode == Mode::serial) {
        plan::SegmentRef row = begin_row(child_key, box.inside);
        add_row(child, child_key, row, box.inside);
      } else {
        add_members(child, child_key, box.inside);
      }
      into.push_back(std::move(box));
    }
  }

  Box frame(const Node& pipeline, Box::Kind kind) {
    return {.kind = kind,
            .id = next_id(),
            .name = shown_name(pipeline.name, pipeline),
            .type = {},
            .join = pipeline.branches() ? std::optional(pipeline.join) : std::nullopt};
  }

  plan::SegmentRef begin_row(const std::string& key, std::vector<Box>& into) const {
    const plan::SegmentRef row{.worker = workers_.at(key)};
    add_handover(row, into);
    return row;
  }

  void add_row(const Node& pipeline, const std::string& key, plan::SegmentRef& row, std::vector<Box>& into) {
    for (const Node& child : pipeline.children) {
      const std::string child_key = replica_key(joined_key(key, child.name), child);
      if (!child.is_pipeline()) {
        into.push_back(leaf(child, child.kind == StageKind::sink ? Box::Kind::sink : Box::Kind::stage, false));
        continue;
      }
      const bool serial = child.mode == Mode::serial;
      Box box = frame(child, serial ? Box::Kind::group : Box::Kind::pipeline);
      if (serial) {
        add_row(child, child_key, row, box.inside);
        into.push_back(std::move(box));
      } else {
        add_members(child, child_key, box.inside);
        into.push_back(std::move(box));
        ++row.index;
        add_handover(row, into);
      }
    }
  }

  void add_handover(plan::SegmentRef row, std::vector<Box>& into) const {
    if (topology_.segment(row).stages.empty()) {
      into.push_back({.kind = Box::Kind::handover, .id = handover_id(row), .name = {}, .type = {}});
    }
  }

  std::string first_leaf(plan::SegmentRef at) const {
    const auto& stages = topology_.segment(at).stages;
    return stages.empty() ? drawn_handover(at) : id_of(stages.front());
  }

  /// Several behind branches.
  std::vector<std::string> last_leaves(plan::SegmentRef at) const {
    const plan::Segment& segment = topology_.segment(at);
    if (is_drawn(at)) {
      return {segment.stages.empty() ? drawn_handover(at) : id_of(segment.stages.back())};
    }
    std::vector<std::string> all;
    for (const plan::LinkId input : segment.inputs) {
      for (std::string& leaf : last_leaves(topology_.links[input].producer)) {
        if (std::ranges::find(all, leaf) == all.end()) {
          all.push_back(std::move(leaf));
        }
      }
    }
    return all;
  }

  std::string drawn_handover(plan::SegmentRef at) const {
    return handover_id({workers_.at(first_replica(topology_.workers[at.worker].name)), at.index});
  }

  static std::string label(const plan::LinkSpec& link) {
    std::vector<std::string> parts;
    if (link.options.overflow != plan::Overflow::block) {
      parts.emplace_back(plan::to_string(link.options.overflow));
    }
    if (link.options.items) {
      parts.push_back(base::count_text(*link.options.items, "item"));
    }
    if (link.options.bytes) {
      parts.push_back(base::size_text(*link.options.bytes));
    }
    return joined(parts, ", ");
  }

  const plan::Plan& plan_;
  const plan::Topology& topology_;
  std::map<const Node*, StageId> stages_;
  std::map<std::string, WorkerId> workers_;
  std::size_t boxes_ = 0;
};

}  // namespace

std::string frame_note(const Box& box) {
  return box.join ? "branches, " + std::string(to_string(*box.join)) : "parallel";
}

PipelineGraph make_graph(const plan::Plan& plan, const plan::Topology& topology, std::string title) {
  Builder builder(plan, topology);
  PipelineGraph graph{.title = std::move(title), .boxes = builder.boxes(), .arrows = {}};
  graph.arrows = builder.arrows();
  return graph;
}

}  // namespace pystream::cli
