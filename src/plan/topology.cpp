#include "plan/topology.hpp"

#include <algorithm>
#include <map>
#include <optional>
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

/// Walks the plan along the items' way. Consecutive segments on that way are joined by a link; behind a sink is a
/// terminal one.
///
/// Behind replicas there are several ends, in the order of their turns, and the next segment collects from all of them.
/// Where that must not be, a worker without stages collects and passes on: in front of further replicas and of the
/// user's process, and at the end of a replica. One that deals stands at the beginning of a replica that begins with
/// replicas.
class Builder {
 public:
  explicit Builder(const Plan& plan) : plan_(plan) {}

  Topology build() && {
    walk();
    for (WorkerId worker = 0; worker < topology_.workers.size(); ++worker) {
      add_terminal_links(worker);
    }
    return std::move(topology_);
  }

 private:
  void walk() {
    const bool serial = plan_.root.mode == Mode::serial;
    if (serial && plan_.entry == EndKind::external && plan_.exit == EndKind::external) {
      user_runs_row_ = true;
      main_row();
      topology_.workers.front().external = true;
      return;
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
      collect();
      external(kExit);
    }
  }

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
      in_replicas(child, join(key, child.name), [&](const std::string& child_key) {
        if (!child.is_pipeline()) {
          worker_of_stage(child, child_key, Role::stage);
        } else if (child.mode == Mode::parallel) {
          inline_parallel(child, child_key);
        } else {
          const WorkerId worker = add_worker(child_key);
          begin_segment(worker);
          row_members(child, child_key, worker);
        }
      });
    }
  }

  /// Calls `walk` with the key of each replica of `node`. All take from one link what the segment in front deals.
  template <class Walk>
  void in_replicas(const Node& node, const std::string& key, const Walk& walk) {
    if (node.replicas <= 1) {
      walk(key);
      return;
    }
    collect();
    if (dealt_) {  // what is a replica already cannot be the dealer by itself
      begin_segment(add_worker(key + kReplica + std::string(kDealer)));
    }
    const LinkId dealt =
        add({.name = link_name(key), .producer = current_, .deals = true, .answers = rows_waiting_ > 0});
    set_options(topology_.links[dealt], plan_.links);
    std::vector<SegmentRef> ends;
    ++rows_waiting_;
    for (std::uint32_t i = 1; i <= node.replicas; ++i) {
      dealt_ = dealt;
      walk(key + kReplica + std::to_string(i));
      collect();
      ends.push_back(current_);
    }
    --rows_waiting_;
    ends_ = std::move(ends);
    replicas_ = key;
  }

  /// Makes one end of several.
  void collect() {
    if (ends_.size() > 1) {
      begin_segment(add_worker(replicas_ + kReplica + std::string(kCollector)));
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
        in_replicas(child, child_key, [&](const std::string& replica_key) { inline_parallel(child, replica_key); });
        if (user_runs_row_ && worker == 0) {
          collect();
        }
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

  Segment& current() { return topology_.workers[current_.worker].segments[current_.index]; }

  /// What is hosted from now on belongs to a new segment of `worker`, linked to the segments before it on the way.
  void begin_segment(WorkerId worker) {
    const bool first = topology_.workers.front().segments.empty();
    const auto index = static_cast<std::uint32_t>(topology_.workers[worker].segments.size());
    const SegmentRef next{.worker = worker, .index = index};
    topology_.workers[worker].segments.emplace_back();
    std::vector<LinkId> inputs;
    if (dealt_) {
      topology_.links[*dealt_].consumers.push_back(next);
      inputs.push_back(*std::exchange(dealt_, {}));
    } else if (!first) {
      const bool collects = ends_.size() > 1;
      for (const SegmentRef end : std::exchange(ends_, {})) {
        current_ = end;
        inputs.push_back(add_link(next, collects));
      }
    }
    topology_.workers[worker].segments.back().inputs = std::move(inputs);
    current_ = next;
    ends_ = {next};
  }

  std::string link_name(std::string_view to) const {
    return without_main(topology_.workers[current_.worker].name) + " -> " + without_main(to);
  }

  /// From the segment in hand. `answers`: to a segment that collects.
  LinkId add_link(SegmentRef consumer, bool answers) {
    LinkSpec link{.name = link_name(topology_.workers[consumer.worker].name),
                  .producer = current_,
                  .consumers = {consumer},
                  .answers = answers || rows_waiting_ > 0,
                  .options = {}};
    set_options(link, plan_.links);
    return add(std::move(link));
  }

  void add_terminal_links(WorkerId worker) {
    const auto segments = static_cast<std::uint32_t>(topology_.workers[worker].segments.size());
    for (std::uint32_t i = 0; i < segments && !topology_.workers[worker].external; ++i) {
      if (topology_.workers[worker].segments[i].outputs.empty()) {
        add({.name = "behind the sink", .producer = {worker, i}});
      }
    }
  }

  LinkId add(LinkSpec link) {
    const auto id = static_cast<LinkId>(topology_.links.size());
    topology_.workers[link.producer.worker].segments[link.producer.index].outputs.push_back(id);
    topology_.links.push_back(std::move(link));
    return id;
  }

  void set_options(LinkSpec& link, const LinkOptions& wanted) {
    link.options.items = wanted.items ? wanted.items : plan_.links.items;
    link.options.bytes = wanted.bytes ? wanted.bytes : plan_.links.bytes;
    link.options.time = wanted.time ? wanted.time : plan_.links.time;
    link.options.overflow = link.answers ? Overflow::block : wanted.overflow;
  }

  void host(const Node& node, const std::string& key, Role role) {
    if (current().hosted.empty() && node.stage && node.stage->input_link) {
      for (const LinkId input : current().inputs) {
        set_options(topology_.links[input], *node.stage->input_link);
      }
    }
    std::uint32_t index = 0;
    for (const Segment& segment : topology_.workers[current_.worker].segments) {
      index += static_cast<std::uint32_t>(segment.hosted.size());
    }
    const auto [known, is_first] = in_plan_.emplace(&node, static_cast<std::uint32_t>(in_plan_.size()));
    current().hosted.push_back(static_cast<HostedId>(topology_.hosted.size()));
    topology_.hosted.push_back({.key = key,
                                .role = role,
                                .node = &node,
                                .worker = current_.worker,
                                .segment = current_.index,
                                .index = index,
                                .in_plan = known->second,
                                .first_replica = is_first});
  }

  const Plan& plan_;
  Topology topology_;
  SegmentRef current_;            ///< the segment that is being filled
  std::vector<SegmentRef> ends_;  ///< those that the next segment reads from: the one that is being filled, or replicas
  std::string replicas_;          ///< key of what has those replicas
  std::optional<LinkId> dealt_;   ///< the next segment is a replica that reads from this link
  std::map<const Node*, std::uint32_t> in_plan_;
  std::size_t rows_waiting_ = 0;  ///< serial rows, and replicas, around what is being walked
  bool user_runs_row_ = false;    ///< worker 0 is the user's process
};

/// The last stages of `at`; where it has none, those in front of it.
void add_last(const Topology& topology, SegmentRef at, std::vector<HostedId>& found) {
  const Segment& segment = topology.segment(at);
  if (!segment.hosted.empty()) {
    found.push_back(segment.hosted.back());
    return;
  }
  for (const LinkId link : segment.inputs) {
    add_last(topology, topology.links[link].producer, found);
  }
}

/// The first stages of `at`; where it has none, those behind it.
void add_first(const Topology& topology, SegmentRef at, std::vector<HostedId>& found) {
  const Segment& segment = topology.segment(at);
  if (!segment.hosted.empty()) {
    found.push_back(segment.hosted.front());
    return;
  }
  for (const LinkId link : segment.outputs) {
    for (const SegmentRef consumer : topology.links[link].consumers) {
      add_first(topology, consumer, found);
    }
  }
}

template <class Predicate>
std::vector<LinkId> links_that(const Topology& topology, const Predicate& predicate) {
  std::vector<LinkId> found;
  for (LinkId id = 0; id < topology.links.size(); ++id) {
    if (predicate(topology.links[id])) {
      found.push_back(id);
    }
  }
  return found;
}

}  // namespace

std::span<const LinkSpec> Topology::item_links() const {
  return {links.begin(), std::ranges::partition_point(links, [](const LinkSpec& link) { return !link.is_terminal(); })};
}

std::span<const LinkId> Topology::links_into(HostedId id) const {
  const Segment& segment = segment_of(id);
  return id == segment.hosted.front() ? std::span(segment.inputs) : std::span<const LinkId>();
}

std::span<const LinkId> Topology::links_out_of(HostedId id) const {
  const Segment& segment = segment_of(id);
  return id == segment.hosted.back() ? std::span(segment.outputs) : std::span<const LinkId>();
}

std::vector<HostedId> Topology::upstream(HostedId id) const {
  const std::vector<HostedId>& row = segment_of(id).hosted;
  if (id != row.front()) {
    return {*std::prev(std::ranges::find(row, id))};
  }
  std::vector<HostedId> found;
  for (const LinkId link : links_into(id)) {
    add_last(*this, links[link].producer, found);
  }
  return found;
}

std::vector<HostedId> Topology::downstream(HostedId id) const {
  const std::vector<HostedId>& row = segment_of(id).hosted;
  if (id != row.back()) {
    return {*std::next(std::ranges::find(row, id))};
  }
  std::vector<HostedId> found;
  for (const LinkId link : links_out_of(id)) {
    for (const SegmentRef consumer : links[link].consumers) {
      add_first(*this, consumer, found);
    }
  }
  return found;
}

std::vector<LinkId> Topology::fed_by_user() const {
  return links_that(*this, [&](const LinkSpec& link) { return workers[link.producer.worker].external; });
}

std::vector<LinkId> Topology::read_by_user() const {
  return links_that(*this, [&](const LinkSpec& link) {
    return std::ranges::any_of(link.consumers, [&](SegmentRef at) { return workers[at.worker].external; });
  });
}

bool Topology::leaves_pipeline(const Segment& segment) const {
  return std::ranges::all_of(segment.outputs, [&](LinkId id) {
    return std::ranges::all_of(links[id].consumers, [&](SegmentRef at) { return !workers[at.worker].runs_row(); });
  });
}

bool Topology::has_source(WorkerId id) const {
  const std::vector<HostedId>& first = workers.at(id).segments.front().hosted;
  return !first.empty() && hosted[first.front()].role == Role::source;
}

bool Topology::has_sink(WorkerId id) const {
  const std::vector<HostedId>& last = workers.at(id).segments.back().hosted;
  return !last.empty() && hosted[last.back()].role == Role::sink;
}

std::uint32_t Topology::consumer_index(LinkId link, SegmentRef consumer) const {
  const std::vector<SegmentRef>& all = links.at(link).consumers;
  return static_cast<std::uint32_t>(std::ranges::find(all, consumer) - all.begin());
}

Topology make_topology(const Plan& plan) {
  return Builder(plan).build();
}

}  // namespace pystream::plan
