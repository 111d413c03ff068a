#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "plan/stage_names.hpp"
#include "plan/topology.hpp"

namespace pystream::plan {
namespace {

std::string join(std::string_view key, std::string_view name) {
  return std::string(key).append(kSeparator).append(name);
}

/// Walks the plan along the items' way. Consecutive segments on that way are joined by a link; behind a sink is a
/// terminal one.
///
/// Behind replicas and branches there are several ends, in their order, and the next segment collects from all of them.
/// Where that must not be, a worker without stages collects and passes on: in front of further replicas or branches and
/// of the user's process, and at the end of a replica or branch. One that deals stands at the beginning of a replica or
/// branch that begins with replicas or branches. Behind branches that join nothing the next segment is one more
/// consumer of the link that they read.
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
    if (!serial && plan_.entry == EndKind::stage) {
      worker_of_stage(plan_.source, end_key(plan_.source, kSource), Role::source);
    }
    if (serial) {
      main_row();
    } else {
      walk_workers(plan_.root, std::string(kMainPipeline));
    }
    if (!serial && plan_.exit == EndKind::stage) {
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
    if (plan_.entry == EndKind::stage) {
      place(plan_.source, end_key(plan_.source, kSource), Role::source);
    }
    row_members(plan_.root, key, worker);
    if (plan_.exit == EndKind::stage) {
      place(plan_.sink, end_key(plan_.sink, kSink), Role::sink);
    }
  }

  void inline_parallel(const Node& pipeline, const std::string& key) {
    topology_.pipeline_keys.push_back(key);
    for (const Node& child : pipeline.children) {
      in_replicas(child, join(key, child.name), [&](const std::string& child_key) { walk_node(child, child_key); });
    }
  }

  void walk_node(const Node& node, const std::string& key) {
    if (!node.is_pipeline()) {
      worker_of_stage(node, key, node.kind);
    } else if (node.mode != Mode::serial) {
      walk_workers(node, key);
    } else {
      const WorkerId worker = add_worker(key);
      begin_segment(worker);
      row_members(node, key, worker);
    }
  }

  /// A pipeline that has no worker of its own.
  void walk_workers(const Node& pipeline, const std::string& key) {
    if (pipeline.branches()) {
      in_branches(pipeline, key);
    } else {
      inline_parallel(pipeline, key);
    }
  }

  /// Calls `walk` with the key of each replica of `node`. All take from one link what the segment in front deals.
  template <class Walk>
  void in_replicas(const Node& node, const std::string& key, const Walk& walk) {
    if (node.replicas <= 1) {
      walk(key);
      return;
    }
    const LinkId dealt = begin_sharing(key, sharing_of(node.share.by));
    topology_.links[dealt].shared_by = &node;
    std::vector<SegmentRef> ends;
    ++rows_waiting_;
    for (std::uint32_t i = 1; i <= node.replicas; ++i) {
      shared_ = dealt;
      walk(key + kReplica + std::to_string(i));
      collect();
      ends.push_back(current_);
    }
    --rows_waiting_;
    const bool in_turn = node.share.by == ShareBy::turn;
    ends_ = {.segments = std::move(ends),
             .collect = in_turn ? Collect::turn : Collect::dealing,
             .followed = in_turn ? std::nullopt : std::optional(dealt),
             .of = key};
  }

  static Sharing sharing_of(ShareBy by) {
    switch (by) {
      case ShareBy::turn:
        return Sharing::turn;
      case ShareBy::least_loaded:
        return Sharing::least_loaded;
      case ShareBy::key:
        return Sharing::key;
    }
    return Sharing::turn;
  }

  void in_branches(const Node& pipeline, const std::string& key) {
    topology_.pipeline_keys.push_back(key);
    const bool joins = pipeline.join != Join::none;
    const LinkId link = begin_sharing(key, joins ? Sharing::branches : Sharing::every);
    const Around around = std::exchange(
        around_,
        {.aside = around_.aside || !joins, .one_answer = joins && (around_.one_answer || pipeline.join == Join::zip)});
    const std::size_t rows = std::exchange(rows_waiting_, joins ? rows_waiting_ + 1 : 0);
    const SegmentRef trunk = current_;
    std::vector<SegmentRef> ends;
    for (const Node& child : pipeline.children) {
      shared_ = link;
      in_replicas(child, join(key, child.name), [&](const std::string& child_key) { walk_node(child, child_key); });
      if (joins) {
        collect();
        ends.push_back(current_);
      }
    }
    around_ = around;
    rows_waiting_ = rows;
    if (joins) {
      ends_ = {.segments = std::move(ends), .collect = collect_of(pipeline.join), .of = key};
    } else {
      current_ = trunk;
      ends_ = {.segments = {trunk}, .collect = Collect::turn, .of = key};
      shared_ = link;
    }
  }

  static Collect collect_of(Join join) {
    switch (join) {
      case Join::merge:
        return Collect::merge;
      case Join::first:
        return Collect::first;
      case Join::zip:
      case Join::none:
        break;
    }
    return Collect::zip;
  }

  /// The link, from the segment in front, that the replicas or branches of `key` read.
  LinkId begin_sharing(const std::string& key, Sharing sharing) {
    if (ends_.segments.size() > 1) {
      collect();
    } else if (shared_) {  // what is a consumer of many already cannot be the producer by itself
      begin_segment(add_worker(key + kReplica + std::string(kDealer)));
    }
    const LinkId id = add({.name = link_name(key),
                           .producer = current_,
                           .sharing = sharing,
                           .answers = rows_waiting_ > 0,
                           .one_answer = around_.one_answer,
                           .item_parts = parts_of_current()});
    set_options(topology_.links[id], plan_.links);
    return id;
  }

  /// Makes one end, which shares nothing, of what there is.
  void collect() {
    if (ends_.segments.size() > 1 || shared_) {
      begin_segment(add_worker(ends_.of + kReplica + std::string(kCollector)));
    }
  }

  void row_members(const Node& pipeline, const std::string& key, WorkerId worker) {
    topology_.pipeline_keys.push_back(key);
    for (const Node& child : pipeline.children) {
      const std::string child_key = join(key, child.name);
      if (!child.is_pipeline()) {
        place(child, child_key, child.kind);
      } else if (child.mode == Mode::serial) {
        row_members(child, child_key, worker);
      } else {
        ++rows_waiting_;
        in_replicas(child, child_key, [&](const std::string& replica_key) { walk_workers(child, replica_key); });
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
    place(stage, key, role);
  }

  WorkerId add_worker(std::string name) {
    topology_.workers.push_back({.name = std::move(name), .external = false, .segments = {}});
    return static_cast<WorkerId>(topology_.workers.size() - 1);
  }

  Segment& current() { return topology_.workers[current_.worker].segments[current_.index]; }

  /// What is placed from now on belongs to a new segment of `worker`, linked to the segments before it on the way.
  void begin_segment(WorkerId worker) {
    const bool first = topology_.workers.front().segments.empty();
    const auto index = static_cast<std::uint32_t>(topology_.workers[worker].segments.size());
    const SegmentRef next{.worker = worker, .index = index};
    const std::optional<LinkId> followed = shared_ ? std::nullopt : ends_.followed;
    topology_.workers[worker].segments.push_back(
        {.collect = ends_.collect, .followed = followed, .aside = around_.aside});
    if (followed) {
      topology_.links[*followed].follower = next;
    }
    std::vector<LinkId> inputs;
    if (shared_) {
      topology_.links[*shared_].consumers.push_back(next);
      inputs.push_back(*std::exchange(shared_, {}));
    } else if (!first) {
      const bool collects = ends_.segments.size() > 1;
      for (const SegmentRef end : std::exchange(ends_.segments, {})) {
        current_ = end;
        inputs.push_back(add_link(next, collects));
      }
    }
    topology_.workers[worker].segments.back().inputs = std::move(inputs);
    current_ = next;
    ends_ = {.segments = {next}, .collect = Collect::turn, .of = topology_.workers[worker].name};
  }

  std::string link_name(std::string_view to) const {
    return short_key(topology_.workers[current_.worker].name) + " -> " + short_key(to);
  }

  /// From the segment in hand. `answers`: to a segment that collects.
  LinkId add_link(SegmentRef consumer, bool answers) {
    LinkSpec link{.name = link_name(topology_.workers[consumer.worker].name),
                  .producer = current_,
                  .consumers = {consumer},
                  .answers = answers || rows_waiting_ > 0,
                  .one_answer = around_.one_answer || (answers && ends_.collect == Collect::zip),
                  .item_parts = parts_of_current(),
                  .options = {}};
    set_options(link, plan_.links);
    return add(std::move(link));
  }

  /// How many items may be put together in one that the segment in hand gives, if it has no stage to look at them.
  std::uint32_t parts_of_current() {
    const Segment& from = current();
    const bool zips = from.collect == Collect::zip && from.inputs.size() > 1;
    if (!from.stages.empty() || from.inputs.empty()) {
      return 1;
    }
    std::uint32_t parts = 0;
    for (const LinkId input : from.inputs) {
      const std::uint32_t each = topology_.links[input].item_parts;
      parts = zips ? parts + each : std::max(parts, each);
    }
    return parts;
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

  void place(const Node& node, const std::string& key, Role role) {
    if (current().stages.empty() && node.stage && node.stage->input_link) {
      for (const LinkId input : current().inputs) {
        set_options(topology_.links[input], *node.stage->input_link);
      }
    }
    std::uint32_t index = 0;
    for (const Segment& segment : topology_.workers[current_.worker].segments) {
      index += static_cast<std::uint32_t>(segment.stages.size());
    }
    const auto [known, is_first] = in_plan_.emplace(&node, static_cast<std::uint32_t>(in_plan_.size()));
    current().stages.push_back(static_cast<StageId>(topology_.stages.size()));
    topology_.stages.push_back({.key = key,
                                .role = role,
                                .node = &node,
                                .worker = current_.worker,
                                .segment = current_.index,
                                .index = index,
                                .in_plan = known->second,
                                .first_replica = is_first});
  }

  /// Where the items that come next are.
  struct Ends {
    std::vector<SegmentRef> segments{};  ///< the one that is being filled, or the last ones of replicas or branches
    Collect collect = Collect::turn;     ///< how the next segment takes from several
    std::optional<LinkId> followed{};    ///< see Segment
    std::string of{};                    ///< key of what has those replicas or branches
  };

  /// What is around what is being walked.
  struct Around {
    bool aside = false;       ///< a branch that joins nothing
    bool one_answer = false;  ///< branches that are zipped
  };

  const Plan& plan_;
  Topology topology_;
  SegmentRef current_;  ///< the segment that is being filled
  Ends ends_;
  std::optional<LinkId> shared_;  ///< the next segment is a consumer of this link, beside others
  Around around_;
  std::map<const Node*, std::uint32_t> in_plan_;
  std::size_t rows_waiting_ = 0;  ///< serial rows, replicas and branches that are joined, around what is being walked
  bool user_runs_row_ = false;    ///< worker 0 is the user's process
};

}  // namespace

Topology make_topology(const Plan& plan) {
  return Builder(plan).build();
}

}  // namespace pystream::plan
