#include "cli/pipeline_graph.hpp"

#include <map>
#include <utility>

#include "base/number_text.hpp"
#include "cli/text.hpp"

namespace pystream::cli {
namespace {

using plan::EndKind;
using plan::HostedId;
using plan::Mode;
using plan::Node;
using plan::WorkerId;

std::string hosted_id(HostedId id) {
  return "s" + std::to_string(id);
}

std::string handover_id(plan::SegmentRef at) {
  return "w" + std::to_string(at.worker) + "x" + std::to_string(at.index);
}

std::string joined_key(const std::string& key, const std::string& name) {
  return std::string(key).append(plan::kSeparator).append(name);
}

/// Follows the plan as make_topology() does, and finds everything again by its profile key.
class Builder {
 public:
  Builder(const plan::Plan& plan, const plan::Topology& topology) : plan_(plan), topology_(topology) {
    for (HostedId id = 0; id < topology.hosted.size(); ++id) {
      hosted_[topology.hosted[id].node] = id;
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
      add_parallel(plan_.root, key, out);
      add_end(plan_.exit, plan_.sink, Box::Kind::sink, true, out);
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
        for (std::size_t i = 1; i < segment.hosted.size(); ++i) {
          out.push_back({Arrow::Kind::call, hosted_id(segment.hosted[i - 1]), hosted_id(segment.hosted[i]), {}});
        }
      }
    }
    for (const plan::LinkSpec& link : topology_.links) {
      for (const plan::SegmentRef consumer : link.consumers) {
        out.push_back({Arrow::Kind::link, last_leaf(link.producer), first_leaf(consumer), label(link)});
      }
    }
    return out;
  }

 private:
  std::string next_id() { return "b" + std::to_string(boxes_++); }

  Box user(std::string_view end) {
    const WorkerId worker = workers_.at(joined_key(std::string(plan::kMainPipeline), std::string(end)));
    return {.kind = Box::Kind::user, .id = handover_id({worker, 0}), .name = "your program", .type = {}};
  }

  Box leaf(const Node& node, Box::Kind kind, bool own_process) const {
    const HostedId id = hosted_.at(&node);
    const std::string& key = topology_.hosted[id].key;
    return {.kind = kind,
            .id = hosted_id(id),
            .name = key.substr(key.rfind(plan::kSeparator) + plan::kSeparator.size()),
            .type = node.stage->type,
            .own_process = own_process};
  }

  void add_end(EndKind end, const Node& node, Box::Kind kind, bool own_process, std::vector<Box>& into) {
    if (end == EndKind::hosted) {
      into.push_back(leaf(node, kind, own_process));
    }
  }

  void add_parallel(const Node& pipeline, const std::string& key, std::vector<Box>& into) {
    for (const Node& child : pipeline.children) {
      const std::string child_key = joined_key(key, child.name);
      if (!child.is_pipeline()) {
        into.push_back(leaf(child, Box::Kind::stage, true));
        continue;
      }
      const bool serial = child.mode == Mode::serial;
      Box box{
          .kind = serial ? Box::Kind::process : Box::Kind::pipeline, .id = next_id(), .name = child.name, .type = {}};
      if (serial) {
        plan::SegmentRef row = begin_row(child_key, box.inside);
        add_row(child, child_key, row, box.inside);
      } else {
        add_parallel(child, child_key, box.inside);
      }
      into.push_back(std::move(box));
    }
  }

  plan::SegmentRef begin_row(const std::string& key, std::vector<Box>& into) const {
    const plan::SegmentRef row{.worker = workers_.at(key)};
    add_handover(row, into);
    return row;
  }

  void add_row(const Node& pipeline, const std::string& key, plan::SegmentRef& row, std::vector<Box>& into) {
    for (const Node& child : pipeline.children) {
      const std::string child_key = joined_key(key, child.name);
      if (!child.is_pipeline()) {
        into.push_back(leaf(child, Box::Kind::stage, false));
        continue;
      }
      const bool serial = child.mode == Mode::serial;
      Box box{.kind = serial ? Box::Kind::group : Box::Kind::pipeline, .id = next_id(), .name = child.name, .type = {}};
      if (serial) {
        add_row(child, child_key, row, box.inside);
        into.push_back(std::move(box));
      } else {
        add_parallel(child, child_key, box.inside);
        into.push_back(std::move(box));
        ++row.index;
        add_handover(row, into);
      }
    }
  }

  void add_handover(plan::SegmentRef row, std::vector<Box>& into) const {
    if (topology_.segment(row).hosted.empty()) {
      into.push_back({.kind = Box::Kind::handover, .id = handover_id(row), .name = {}, .type = {}});
    }
  }

  std::string first_leaf(plan::SegmentRef at) const {
    const auto& hosted = topology_.segment(at).hosted;
    return hosted.empty() ? handover_id(at) : hosted_id(hosted.front());
  }

  std::string last_leaf(plan::SegmentRef at) const {
    const auto& hosted = topology_.segment(at).hosted;
    return hosted.empty() ? handover_id(at) : hosted_id(hosted.back());
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
  std::map<const Node*, HostedId> hosted_;
  std::map<std::string, WorkerId> workers_;
  std::size_t boxes_ = 0;
};

}  // namespace

PipelineGraph make_graph(const plan::Plan& plan, const plan::Topology& topology, std::string title) {
  Builder builder(plan, topology);
  PipelineGraph graph{.title = std::move(title), .boxes = builder.boxes(), .arrows = {}};
  graph.arrows = builder.arrows();
  return graph;
}

}  // namespace pystream::cli
