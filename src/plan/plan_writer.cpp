#include <utility>

#include "plan/cluster_json.hpp"
#include "plan/json.hpp"
#include "plan/plan_json.hpp"
#include "plan/plan_reader.hpp"
#include "plan/share_json.hpp"

namespace pystream::plan {
namespace {

ParamValue json_of(bool value) {
  return ParamValue(value);
}
ParamValue json_of(Duration value) {
  return ParamValue(std::to_string(value.count()) + "ns");
}
ParamValue json_of(const std::string& value) {
  return ParamValue(value);
}
template <std::integral T>
ParamValue json_of(T value) {
  return ParamValue(static_cast<std::int64_t>(value));
}
template <class Enum>
requires std::is_enum_v<Enum> ParamValue json_of(Enum value) {
  return ParamValue(std::string(to_string(value)));
}
template <class T>
ParamValue json_of(const std::vector<T>& values) {
  ParamList list;
  for (const T& value : values) {
    list.push_back(json_of(value));
  }
  return list;
}

/// An object that leaves out default values.
class ObjectWriter {
 public:
  void put(std::string key, ParamValue value) { map_.emplace_back(std::move(key), std::move(value)); }
  template <class T>
  void put(std::string key, const T& value, const T& fallback) {
    if (!(value == fallback)) {
      put(std::move(key), json_of(value));
    }
  }
  template <class T>
  void put(std::string key, const std::optional<T>& value) {
    if (value) {
      put(std::move(key), json_of(*value));
    }
  }
  void put(std::string key, ObjectWriter object) {
    if (!object.map_.empty()) {
      put(std::move(key), ParamValue(std::move(object).take()));
    }
  }
  ParamMap take() && { return std::move(map_); }

 private:
  ParamMap map_;
};

ObjectWriter links_object(const LinkOptions& options) {
  ObjectWriter capacity;
  capacity.put("items", options.items);
  capacity.put("bytes", options.bytes);
  capacity.put("time", options.time);
  ObjectWriter out;
  out.put("capacity", std::move(capacity));
  out.put("overflow", options.overflow, LinkOptions{}.overflow);
  return out;
}

ObjectWriter limits_object(const Limits& limits) {
  const Limits none;
  ObjectWriter out;
  out.put("memory", limits.memory, none.memory);
  out.put("cpu_time", limits.cpu_time, none.cpu_time);
  out.put("nice", limits.nice, none.nice);
  out.put("affinity", limits.affinity, none.affinity);
  return out;
}

void put_stage(ObjectWriter& out, const StageSpec& stage, const FaultPolicy& usual) {
  out.put("type", ParamValue(stage.type));
  if (!stage.params.values().empty()) {
    out.put("params", ParamValue(stage.params.values()));
  }
  out.put("timeout", stage.faults.timeout);
  out.put("start_timeout", stage.faults.start_timeout, usual.start_timeout);
  out.put("on_crash", stage.faults.on_crash, usual.on_crash);
  out.put("on_error", stage.faults.on_error, usual.on_error);
  out.put("max_attempts", stage.faults.max_attempts, usual.max_attempts);
  out.put("limits", limits_object(stage.limits));
  if (stage.input_link) {
    out.put("link", ParamValue(links_object(*stage.input_link).take()));
  }
}

ParamList members(const Node& pipeline);

ParamValue node_object(const Node& node, const FaultPolicy& usual = {}) {
  ObjectWriter out;
  if (!node.name.empty()) {
    out.put("name", ParamValue(node.name));
  }
  out.put("host", node.host, {});
  out.put("replicas", node.replicas, 1U);
  if (auto share = share_value(node.share)) {
    out.put("share", std::move(*share));
  }
  if (node.is_pipeline()) {
    out.put("mode", json_of(node.mode));
    if (node.branches()) {
      out.put("join", node.join, Join::zip);
    }
    out.put("stages", ParamValue(members(node)));
  } else {
    put_stage(out, *node.stage, usual);
  }
  return std::move(out).take();
}

ParamList members(const Node& pipeline) {
  ParamList list;
  for (const Node& child : pipeline.children) {
    list.push_back(node_object(child));
  }
  return list;
}

void put_end(ObjectWriter& out, std::string key, EndKind kind, const Node& node) {
  if (kind == EndKind::stage) {
    const FaultPolicy usual = key == "source" ? usual_source_faults() : FaultPolicy{};
    out.put(std::move(key), node_object(node, usual));
  } else if (kind == EndKind::external) {
    out.put(std::move(key), ParamValue(std::string(kExternal)));
  }
}

ObjectWriter profiler_object(const ProfilerOptions& options) {
  const ProfilerOptions usual;
  ObjectWriter out;
  out.put("enabled", options.enabled, usual.enabled);
  if (options.folder) {
    out.put("folder", ParamValue(options.folder->string()));
  }
  out.put("max_history", options.max_history, usual.max_history);
  out.put("rows_per_second", options.rows_per_second, usual.rows_per_second);
  out.put("keep_runs", options.keep_runs, usual.keep_runs);
  out.put("keep_bytes", options.keep_bytes, usual.keep_bytes);
  return out;
}

ObjectWriter restarts_object(const RestartPolicy& restarts) {
  const RestartPolicy usual;
  ObjectWriter out;
  out.put("max_restarts", restarts.max_restarts, usual.max_restarts);
  out.put("window", restarts.window, usual.window);
  out.put("backoff_first", restarts.backoff_first, usual.backoff_first);
  out.put("backoff_limit", restarts.backoff_limit, usual.backoff_limit);
  return out;
}

}  // namespace

std::string write_plan(const Plan& plan) {
  ObjectWriter out;
  out.put(std::string(kNormalizedKey), ParamValue(true));
  out.put("name", plan.name, {});
  out.put("mode", json_of(plan.root.mode));
  if (plan.root.branches()) {
    out.put("join", plan.root.join, Join::zip);
  }
  out.put("plugins", plan.plugins, {});
  put_end(out, "source", plan.entry, plan.source);
  out.put("stages", ParamValue(members(plan.root)));
  put_end(out, "sink", plan.exit, plan.sink);
  out.put("links", links_object(plan.links));
  out.put("profiler", profiler_object(plan.profiler));
  out.put("restarts", restarts_object(plan.restarts));
  if (plan.cluster) {
    out.put("cluster", cluster_value(*plan.cluster));
  }
  return dump_json(ParamValue(std::move(out).take()));
}

}  // namespace pystream::plan
