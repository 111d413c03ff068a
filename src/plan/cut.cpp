#include "plan/cut.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "plan/hosts.hpp"
#include "plan/item_types.hpp"
#include "plan/json.hpp"
#include "plan/plan_hash.hpp"
#include "plan/plan_reader.hpp"
#include "plan/stage_names.hpp"
#include "plan/stage_reader.hpp"
#include "plan/suggest.hpp"
#include "plan/topology.hpp"

namespace pystream::plan {
namespace {

/// Members in a row on one host: [first, end).
struct Piece {
  std::string host;
  std::size_t first = 0;
  std::size_t end = 0;
};

std::vector<Piece> pieces_of(const std::vector<Member>& members) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (pieces.empty() || pieces.back().host != members[i].host) {
      pieces.push_back({.host = members[i].host, .first = i, .end = i});
    }
    pieces.back().end = i + 1;
  }
  return pieces;
}

void for_each_stage(const Node& node, const std::function<void(const Node&)>& visit) {
  if (node.stage) {
    visit(node);
  }
  for (const Node& child : node.children) {
    for_each_stage(child, visit);
  }
}

class Cutter {
 public:
  Cutter(const Plan& plan, TypeCatalog types, std::string_view run)
      : plan_(plan),
        types_(types),
        run_(run),
        members_(members_of(plan)),
        pieces_(pieces_of(members_)),
        topology_(make_topology(plan)) {}

  std::vector<PlanFault> faults() {
    if (!plan_.cluster) {
      add("", "no \"cluster\"", "what connects the hosts: \"cluster\": {\"log\": \"nats://…\"}");
    }
    if (plan_.root.mode != Mode::parallel && pieces_.size() > 1) {
      add("/mode",
          in_quotes(to_string(plan_.root.mode)) + " in a plan for " + std::to_string(pieces_.size()) + " hosts",
          "\"parallel\": only between the stages of a parallel main pipeline items can go to another host");
    }
    check_pieces();
    for (const Member& member : members_) {
      check_inside(*member.node, member);
    }
    check_links();
    check_moves();
    return std::move(faults_);
  }

  std::vector<Part> parts() const {
    std::vector<Part> parts;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      Part part{.host = pieces_[i].host,
                .plan = plan_,
                .input = crossing_before(i),
                .output = crossing_before(i + 1),
                .moves = may_move(pieces_[i].host),
                .has_state = has_state(pieces_[i])};
      trim(part, pieces_[i]);
      parts.push_back(std::move(part));
    }
    return parts;
  }

 private:
  void add(std::string where, std::string found, std::string expected, std::string hint = {}) {
    faults_.push_back({std::move(where), std::move(found), std::move(expected), std::move(hint)});
  }

  /// One part for each host, as `run --host` runs one.
  void check_pieces() {
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
      const auto before = [&](const Piece& piece) { return piece.host == pieces_[i].host; };
      if (std::any_of(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(i), before)) {
        add(pointer_to(members_[pieces_[i].first].node->where, "host"),
            "the host " + in_quotes(pieces_[i].host) + " again, behind " + in_quotes(pieces_[i - 1].host),
            "another name: a part is what stands in a row on one host; names are logical, so both parts may run on one "
            "machine");
      }
    }
  }

  void check_inside(const Node& node, const Member& member) {
    for (const Node& child : node.children) {
      if (!child.host.empty() && child.host != member.host) {
        add(pointer_to(child.where, "host"),
            in_quotes(child.host) + " inside " + member.name + ", which runs on " + in_quotes(member.host),
            "no other host here: only the stages and pipelines of the main pipeline can be on different hosts, as "
            "replicas, branches and serial pipelines wait for what is in them");
      }
      check_inside(child, member);
    }
  }

  /// Which piece a worker belongs to, by the level of its profile key below the main pipeline.
  std::size_t piece_of(WorkerId worker) const {
    std::string_view name = topology_.workers[worker].name;
    name.remove_prefix(std::min(name.size(), kMainPipeline.size() + kSeparator.size()));
    name = name.substr(0, name.find(kSeparator));
    name = name.substr(0, name.find(kReplica));
    const auto member = std::ranges::find(members_, name, &Member::name);
    const auto index = static_cast<std::size_t>(member - members_.begin());
    const auto piece = std::ranges::find_if(pieces_, [&](const Piece& it) { return index < it.end; });
    return static_cast<std::size_t>(piece - pieces_.begin());
  }

  /// A link that goes to this piece from another one; nullptr for the first piece.
  const LinkSpec* link_into(std::size_t piece) const {
    for (const LinkSpec& link : topology_.item_links()) {
      const bool goes_there =
          std::ranges::any_of(link.consumers, [&](SegmentRef consumer) { return piece_of(consumer.worker) == piece; });
      if (goes_there && piece_of(link.producer.worker) != piece) {
        return &link;
      }
    }
    return nullptr;
  }

  void check_links() {
    for (std::size_t i = 1; i < pieces_.size() && plan_.root.mode == Mode::parallel; ++i) {
      const LinkSpec* link = link_into(i);
      if (link != nullptr && link->options.overflow != Overflow::block) {
        add(pointer_to(members_[pieces_[i].first].node->where, "link"),
            in_quotes(to_string(link->options.overflow)) + " on the link " + short_key(link->name) +
                ", which goes to another host",
            "\"overflow\": \"block\" on it: a stream between hosts loses nothing");
      }
    }
  }

  bool may_move(const std::string& host) const {
    return plan_.cluster && std::ranges::find(plan_.cluster->moves, host) != plan_.cluster->moves.end();
  }

  /// In the first step no state goes from one machine to another.
  void check_moves() {
    const std::vector<std::string> hosts = hosts_of(plan_);
    for (std::size_t i = 0; plan_.cluster && i < plan_.cluster->moves.size(); ++i) {
      const std::string& host = plan_.cluster->moves[i];
      if (std::ranges::find(hosts, host) == hosts.end()) {
        add(pointer_to("/cluster/moves", i), in_quotes(host), "a host of this plan", did_you_mean(host, hosts));
      }
    }
    for (const Member& member : members_) {
      if (may_move(member.host)) {
        for_each_stage(*member.node, [&](const Node& node) { check_stateless(node, member.host); });
      }
    }
  }

  void check_stateless(const Node& node, const std::string& host) {
    const StageType* type = find_type(types_, node.stage->type);
    if (type == nullptr) {
      return;
    }
    const char* const state = type->checkpoint_bytes > 0 ? ", whose checkpoint stays on its machine,"
                              : type->kind == StageKind::sink && type->cursor_bytes > 0
                                  ? ", whose output can be resumed only on its machine,"
                                  : nullptr;
    if (state != nullptr) {
      add(pointer_to(node.where, "type"),
          in_quotes(type->name) + state + " in the part of " + in_quotes(host) + ", which may move to another one",
          "stages without state there, or " + in_quotes(host) + " left out of /cluster/moves");
    }
  }

  bool has_state(const Piece& piece) const {
    bool any = false;
    for (std::size_t i = piece.first; i < piece.end; ++i) {
      for_each_stage(*members_[i].node, [&](const Node& node) {
        const StageType* type = find_type(types_, node.stage->type);
        any |= type != nullptr && type->checkpoint_bytes > 0;
      });
    }
    return any;
  }

  /// By the first stage of the piece: what it gets, else what it takes.
  std::string item_type_into(const Piece& piece) const {
    const std::vector<std::string> taken = items_taken(topology_, types_);
    const auto is_first = [&](const PlacedStage& placed) {
      bool found = false;
      for_each_stage(*members_[piece.first].node, [&](const Node& node) { found |= placed.node == &node; });
      return found;
    };
    const auto first = std::ranges::find_if(topology_.stages, is_first);
    const std::string& known = taken.at(static_cast<std::size_t>(first - topology_.stages.begin()));
    if (!known.empty()) {
      return known;
    }
    const StageType* type = find_type(types_, first->node->stage->type);
    return type == nullptr || type->info.input.empty() ? kAnyItem : type->info.input;
  }

  std::optional<Crossing> crossing_before(std::size_t piece) const {
    if (piece == 0 || piece == pieces_.size()) {
      return std::nullopt;
    }
    const Piece& here = pieces_[piece];
    const std::string& from = members_[here.first - 1].name;
    const std::string& to = members_[here.first].name;
    return Crossing{.from = from,
                    .to = to,
                    .stream = plan_.name + "-" + run_ + "-" + from + "-" + to,
                    .item_type = item_type_into(here),
                    .link = link_into(piece)->options};
  }

  /// Leaves of the whole plan what is in the piece, between the ends that go with it.
  void trim(Part& part, const Piece& piece) const {
    std::vector<Node> children;
    for (std::size_t i = piece.first; i < piece.end; ++i) {
      const Node* node = members_[i].node;
      if (node != &plan_.source && node != &plan_.sink) {
        children.push_back(*node);
      }
    }
    part.plan.root.children = std::move(children);
    part.plan.cluster.reset();
    if (part.input) {
      part.plan.source = end_of(part, *part.input, StageKind::source);
    }
    if (part.output) {
      part.plan.sink = end_of(part, *part.output, StageKind::sink);
    }
  }

  Node end_of(const Part& part, const Crossing& crossing, StageKind kind) const {
    const bool source = kind == StageKind::source;
    Node node;
    node.name = free_name(part.plan, source ? "From_" + crossing.from : "To_" + crossing.to);
    node.where = "/cluster";
    node.kind = kind;
    node.stage.emplace();
    node.stage->type = source ? kStreamSource : kStreamSink;
    node.stage->faults = usual_source_faults();  // also of a sink: what it cannot write must not become a dead letter
    node.stage->params = params_of(part, crossing);
    if (source) {
      if (part.output) {
        node.stage->params.set("journal", ParamValue(part.output->stream));  // where the part stands
      }
      return node;
    }
    node.stage->input_link = crossing.link;
    if (part.has_state) {
      node.stage->params.set("claim", ParamValue(true));  // of two that run the part, one must end
    }
    return node;
  }

  Params params_of(const Part& part, const Crossing& crossing) const {
    const Cluster& cluster = *plan_.cluster;
    Params params;
    params.set("log", ParamValue(cluster.log));
    params.set("stream", ParamValue(crossing.stream));
    params.set("replicas", ParamValue(static_cast<std::int64_t>(cluster.replicas)));
    if (cluster.bytes) {
      params.set("capacity", ParamValue(static_cast<std::int64_t>(*cluster.bytes)));
    }
    for (const auto& [name, file] :
         {std::pair("credentials", &cluster.credentials), std::pair("tls_ca", &cluster.tls.ca),
          std::pair("tls_cert", &cluster.tls.cert), std::pair("tls_key", &cluster.tls.key)}) {
      if (!file->empty()) {
        params.set(name, ParamValue(*file));
      }
    }
    params.set("item_type", ParamValue(crossing.item_type));
    params.set("plan_hash", ParamValue(plan_hash(plan_)));
    params.set("part", ParamValue(part.host));
    return params;
  }

  /// A name that nothing else in the plan has.
  static std::string free_name(const Plan& plan, const std::string& wanted) {
    std::string name = wanted;
    const auto taken = [&](const Member& member) { return member.name == name; };
    for (int i = 2; std::ranges::any_of(members_of(plan), taken); ++i) {
      name = wanted + "_" + std::to_string(i);
    }
    return name;
  }

  const Plan& plan_;
  TypeCatalog types_;
  std::string run_;
  std::vector<Member> members_;
  std::vector<Piece> pieces_;
  Topology topology_;
  std::vector<PlanFault> faults_;
};

}  // namespace

std::optional<std::string> run_name_fault(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && name.size() <= kMaxShortName && std::ranges::all_of(name, fits)
             ? std::nullopt
             : std::optional("at most " + std::to_string(kMaxShortName) + " letters, digits and \"_\"");
}

std::variant<std::vector<Part>, std::vector<PlanFault>> cut(const Plan& plan, TypeCatalog types, std::string_view run) {
  Cutter cutter(plan, types, run);
  if (std::vector<PlanFault> faults = cutter.faults(); !faults.empty()) {
    return faults;
  }
  return cutter.parts();
}

}  // namespace pystream::plan
