#include "plan/topology.hpp"

#include <utility>

namespace pystream::plan {
namespace {

std::string join(std::string_view key, std::string_view name) {
  return std::string(key).append(kSeparator).append(name);
}

std::string without_main(std::string_view name) {
  const std::string prefix = join(kMainPipeline, "");
  return std::string(name.starts_with(prefix) ? name.substr(prefix.size()) : name);
}

/// Walks the plan along the items' way. Consecutive segments on that way are joined by a link.
class Builder {
 public:
  explicit Builder(const Plan& plan) : plan_(plan) {}

  Topology build() && {
    const bool serial = plan_.root.mode == Mode::serial;
    if (serial && plan_.entry == EndKind::external && plan_.exit == EndKind::external) {
      main_row();
      topology_.workers.front().external = true;
      return std::move(topology_);
    }
    if (plan_.entry == EndKind::external) {
      external(kEntry);
    }
    if (!serial && plan_.entry == EndKind::hosted) {
      worker_of_stage(plan_.source, end_key(plan_.source, kSource), Role::source);
    }
    if (serial) {
      main_row();
    } else {
      inline_parallel(plan_.root, std::string(kMainPipeline));
    }
    if (!serial && plan_.exit == EndKind::hosted) {
      worker_of_stage(plan_.sink, end_key(plan_.sink, kSink), Role::sink);
    }
    if (plan_.exit == EndKind::external) {
      external(kExit);
    }
    return std::move(topology_);
  }

 private:
  static std::string end_key(const Node& end, std::string_view unnamed) {
    return join(kMainPipeline, end.name.empty() ? unnamed : end.name);
  }

  void external(std::string_view name) {
    const WorkerId worker = add_worker(join(kMainPipeline, name));
    topology_.workers[worker].external = true;
    begin_segment(worker);
  }

  void main_row() {
    const std::string key(kMainPipeline);
    const WorkerId worker = add_worker(key);
    begin_segment(worker);
    if (plan_.entry == EndKind::hosted) {
      host(plan_.source, end_key(plan_.source, kSource), Role::source);
    }
    row_members(plan_.root, key, worker);
    if (plan_.exit == EndKind::hosted) {
      host(plan_.sink, end_key(plan_.sink, kSink), Role::sink);
    }
  }

  void inline_parallel(const Node& pipeline, const std::string& key) {
    topology_.pipeline_keys.push_back(key);
    for (const Node& child : pipeline.children) {
      const std::string child_key = join(key, child.name);
      if (!child.is_pipeline()) {
        worker_of_stage(child, child_key, Role::stage);
      } else if (child.mode == Mode::parallel) {
        inline_parallel(child, child_key);
      } else {
        const WorkerId worker = add_worker(child_key);
        begin_segment(worker);
        row_members(child, child_key, worker);
      }
    }
  }

  void row_members(const Node& pipeline, const std::string& key, WorkerId worker) {
    topology_.pipeline_keys.push_back(key);
    for (const Node& child : pipeline.children) {
      const std::string child_key = join(key, child.name);
      if (!child.is_pipeline()) {
        host(child, child_key, Role::stage);
      } else if (child.mode == Mode::serial) {
        row_members(child, child_key, worker);
      } else {
        ++rows_waiting_;
        inline_parallel(child, child_key);
        begin_segment(worker);
        --rows_waiting_;
      }
    }
  }

  void worker_of_stage(const Node& stage, const std::string& key, Role role) {
    begin_segment(add_worker(key));
    host(stage, key, role);
  }

  WorkerId add_worker(std::string name) {
    topology_.workers.push_back({.name = std::move(name), .external = false, .segments = {}});
    return static_cast<WorkerId>(topology_.workers.size() - 1);
  }

  /// What is hosted from now on belongs to a new segment of `worker`, linked to the segment before it on the way.
  void begin_segment(WorkerId worker) {
    Segment segment;
    if (!topology_.workers.front().segments.empty()) {
      segment.input = add_link(worker);
      topology_.workers[current_].segments.back().output = segment.input;
    }
    topology_.workers[worker].segments.push_back(std::move(segment));
    current_ = worker;
  }

  LinkId add_link(WorkerId consumer) {
    LinkSpec link{.name = without_main(topology_.workers[current_].name) + " -> " +
                          without_main(topology_.workers[consumer].name),
                  .producer = current_,
                  .consumer = consumer,
                  .answers = rows_waiting_ > 0,
                  .options = plan_.links};
    topology_.links.push_back(std::move(link));
    set_options(topology_.links.back(), plan_.links);
    return static_cast<LinkId>(topology_.links.size() - 1);
  }

  void set_options(LinkSpec& link, const LinkOptions& wanted) {
    link.options.items = wanted.items ? wanted.items : plan_.links.items;
    link.options.bytes = wanted.bytes ? wanted.bytes : plan_.links.bytes;
    link.options.overflow = link.answers ? Overflow::block : wanted.overflow;
  }

  void host(const Node& node, const std::string& key, Role role) {
    Segment& segment = topology_.workers[current_].segments.back();
    if (segment.hosted.empty() && segment.input && node.stage && node.stage->input_link) {
      set_options(topology_.links[*segment.input], *node.stage->input_link);
    }
    segment.hosted.push_back(static_cast<HostedId>(topology_.hosted.size()));
    topology_.hosted.push_back({.key = key, .role = role, .node = &node, .worker = current_});
  }

  const Plan& plan_;
  Topology topology_;
  WorkerId current_ = 0;          ///< the worker whose last segment is being filled
  std::size_t rows_waiting_ = 0;  ///< serial rows that wait for what is being walked
};

}  // namespace

Topology make_topology(const Plan& plan) {
  return Builder(plan).build();
}

}  // namespace pystream::plan
