#include "plan/plan_keys.hpp"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

namespace pystream::plan {
namespace {

constexpr double kMaxCount = 1e9;
constexpr double kMaxLinkBytes = 1099511627776.;  // 1 TiB
constexpr double kMaxStreamReplicas = 5;          // of JetStream

ParamSpec key(std::string name, ParamType type, std::string text) {
  return {.name = std::move(name), .type = type, .fallback = ParamValue(), .text = std::move(text)};
}

/// What the key means if it is left out: the value that plan.hpp gives it.
ParamSpec with_default(ParamSpec spec, ParamValue value) {
  spec.fallback = std::move(value);
  return spec;
}

ParamSpec with_default(ParamSpec spec, Duration value) {
  return with_default(std::move(spec), ParamValue(std::int64_t{value.count()}));
}

ParamSpec with_default(ParamSpec spec, std::uint64_t value) {
  return with_default(std::move(spec), ParamValue(static_cast<std::int64_t>(value)));
}

ParamSpec required(ParamSpec spec) {
  spec.fallback.reset();
  return spec;
}

ParamSpec with_range(ParamSpec spec, double min, double max) {
  spec.min = min;
  spec.max = max;
  return spec;
}

ParamSpec at_least(ParamSpec spec, double min) {
  spec.min = min;
  return spec;
}

template <class Enum>
ParamSpec word(std::string name, Enum usual, std::string text) {
  ParamSpec spec = key(std::move(name), ParamType::string, std::move(text));
  spec.fallback = ParamValue(std::string(to_string(usual)));
  spec.choices = words_of<Enum>();
  return spec;
}

/// With the words of some enumerators; the first is the default.
template <class Enum>
ParamSpec word(std::string name, std::initializer_list<Enum> values, std::string text) {
  ParamSpec spec = key(std::move(name), ParamType::string, std::move(text));
  spec.fallback = ParamValue(std::string(to_string(*values.begin())));
  for (const Enum value : values) {
    spec.choices.emplace_back(to_string(value));
  }
  return spec;
}

void replace(KeyTable& keys, ParamSpec by) {
  *std::find_if(keys.begin(), keys.end(), [&](const ParamSpec& spec) { return spec.name == by.name; }) = std::move(by);
}

ParamSpec replicas_key() {
  const ParamSpec spec = key("replicas", ParamType::integer,
                             "so many of it run beside one another and share the items; \"auto\": as many as "
                             "the profile of the last run recommends");
  return with_default(with_range(spec, 1, kMaxReplicas), std::uint64_t{Node{}.replicas});
}

ParamSpec share_key() {
  const ParamSpec spec =
      key("share", ParamType::any,
          "which replica an item is for: turn: one after another; least_loaded: the one with the fewest items to do; "
          "{\"key\": {…}}: all items of one key for the same one");
  return with_default(spec, ParamValue(std::string(to_string(SharePolicy{}.by))));
}

ParamSpec mode_key() {
  return word<Mode>(
      "mode", Node{}.mode,
      "parallel: every stage is a process of its own; serial: one process for all; branch: each stage gets "
      "every item");
}

ParamSpec join_key() {
  return word<Join>(
      "join", Node{}.join,
      "of \"mode\": \"branch\": zip: one item of all answers; merge: all answers in turn; first: that of the "
      "fastest; none: each branch ends in a sink, and the items go on");
}

ParamSpec host_key() {
  return key(
      "host", ParamType::string,
      "where it runs if the plan runs on several hosts, a name of your choice; none: where what stands before it "
      "does");
}

KeyTable common_stage_keys() {
  return {
      key("name", ParamType::string, "last part of the profile key: letters, digits and single _"),
      required(key("type", ParamType::string, "registered type")),
      key("params", ParamType::any, "parameters of the type"),
      at_least(key("timeout", ParamType::duration, "longest time for one item; then the worker is killed"), 1),
      with_default(at_least(key("start_timeout", ParamType::duration,
                                "longest time from the worker's start until it is ready, and of its cleanup()"),
                            1),
                   FaultPolicy{}.start_timeout),
      word<OnCrash>("on_crash", FaultPolicy{}.on_crash, "what happens to an item whose worker dies max_attempts times"),
      word<OnError>("on_error", FaultPolicy{}.on_error, "what happens to an item for which the stage throws"),
      with_default(
          with_range(key("max_attempts", ParamType::integer, "deaths on one item before it is given up"), 1, kMaxCount),
          std::uint64_t{FaultPolicy{}.max_attempts}),
      key("limits", ParamType::any, "what the worker may use"),
      host_key(),
  };
}

}  // namespace

const KeyTable& root_keys() {
  static const KeyTable kKeys{
      key("name", ParamType::string, "free text; beside \"cluster\": lower-case letters, digits and \"-\""),
      mode_key(),
      join_key(),
      key("plugins", ParamType::list, "plugin libraries with stage types"),
      required(key("source", ParamType::any, "where items come from")),
      required(key("stages", ParamType::list, "what is done to each item, in order")),
      required(key("sink", ParamType::any, "where items go")),
      key("links", ParamType::any, "the links between workers, unless a stage says otherwise"),
      key("profiler", ParamType::any, "profiles"),
      key("restarts", ParamType::any, "how often dead workers are restarted"),
      key("cluster", ParamType::any, "what connects the hosts of a plan that runs on several"),
  };
  return kKeys;
}

const KeyTable& pipeline_keys() {
  static const KeyTable kKeys{
      key("name", ParamType::string, "last part of the profile key: letters, digits and single _"),
      mode_key(),
      join_key(),
      required(key("stages", ParamType::list, "what is done to each item, in order")),
      replicas_key(),
      share_key(),
      host_key(),
  };
  return kKeys;
}

const KeyTable& stage_keys() {
  static const KeyTable kKeys = [] {
    KeyTable keys = sink_keys();
    keys.push_back(replicas_key());
    keys.push_back(share_key());
    return keys;
  }();
  return kKeys;
}

const KeyTable& sink_keys() {
  static const KeyTable kKeys = [] {
    KeyTable keys = common_stage_keys();
    keys.push_back(key("link", ParamType::any, "the link in front of this stage, where it differs from `links`"));
    return keys;
  }();
  return kKeys;
}

const KeyTable& source_keys() {
  static const KeyTable kKeys = [] {
    KeyTable keys = common_stage_keys();
    replace(keys, at_least(key("timeout", ParamType::duration,
                               "longest time to the next item, waiting for input included; then the worker is killed"),
                           1));
    replace(keys,
            word("on_crash", {OnCrash::replay, OnCrash::fail},
                 "what happens when its worker dies: it goes on behind its last committed item, or the run fails"));
    replace(keys, word("on_error", {OnError::fail, OnError::skip, OnError::dead_letter},
                       "what happens when a part of the input cannot be used: the run fails once all items before it "
                       "have come out, or the part is left out and counted; dead_letter also keeps a "
                       "letter with the reason"));
    replace(keys, with_default(
                      with_range(key("max_attempts", ParamType::integer,
                                     "faults in a row, with no item and no progress in between, after which it fails"),
                                 1, kMaxCount),
                      std::uint64_t{usual_source_faults().max_attempts}));
    return keys;
  }();
  return kKeys;
}

const KeyTable& keys_of(StageKind kind) {
  return kind == StageKind::source ? source_keys() : kind == StageKind::sink ? sink_keys() : stage_keys();
}

const KeyTable& limits_keys() {
  static const KeyTable kKeys{
      at_least(key("memory", ParamType::size, "address space"), 1),
      at_least(key("cpu_time", ParamType::duration, "processor time"), 1),
      with_default(with_range(key("nice", ParamType::integer, "scheduling priority, 19 is the lowest"), -20, 19),
                   ParamValue(Limits{}.nice)),
      key("affinity", ParamType::list, "numbers of the CPUs it may run on"),
  };
  return kKeys;
}

const KeyTable& links_keys() {
  static const KeyTable kKeys{
      key("capacity", ParamType::any, "how much a link holds"),
      word<Overflow>("overflow", LinkOptions{}.overflow, "what happens when a link is full"),
  };
  return kKeys;
}

const KeyTable& capacity_keys() {
  static const KeyTable kKeys{
      with_range(key("items", ParamType::integer, "at most so many items"), 1, kMaxCount),
      with_default(
          with_range(key("bytes", ParamType::size, "payload; also the size of the largest item"), 1, kMaxLinkBytes),
          kItemLimit),
      with_default(
          at_least(key("time", ParamType::duration,
                       "at most what the stage behind works off in this time, and what keeps both ends busy; 0s: no "
                       "bound"),
                   0),
          kTimeLimit),
  };
  return kKeys;
}

const KeyTable& profiler_keys() {
  static const ProfilerOptions kUsual;
  static const KeyTable kKeys{
      with_default(key("enabled", ParamType::boolean, "whether profiles are written"), ParamValue(kUsual.enabled)),
      key("folder", ParamType::string, "folder of the profile database; else $PYSTREAM_PROFILES or the user's own"),
      with_default(
          with_range(key("max_history", ParamType::integer, "single items kept of one stage in one run"), 2, kMaxCount),
          kUsual.max_history),
      with_default(with_range(key("rows_per_second", ParamType::integer,
                                  "single items recorded by one worker; beyond it they are sampled"),
                              10, kMaxCount),
                   kUsual.rows_per_second),
      with_default(with_range(key("keep_runs", ParamType::integer, "runs kept in the database"), 1, kMaxCount),
                   kUsual.keep_runs),
      with_default(with_range(key("keep_bytes", ParamType::size, "size of the database beyond which old runs go"), 1,
                              kMaxLinkBytes),
                   kUsual.keep_bytes),
  };
  return kKeys;
}

const KeyTable& restarts_keys() {
  static const RestartPolicy kUsual;
  static const KeyTable kKeys{
      with_default(
          with_range(key("max_restarts", ParamType::integer, "restarts within the window before the pipeline fails"), 0,
                     kMaxCount),
          std::uint64_t{kUsual.max_restarts}),
      with_default(at_least(key("window", ParamType::duration, "the window that max_restarts counts in"), 1),
                   kUsual.window),
      with_default(at_least(key("backoff_first", ParamType::duration, "pause before the second restart"), 1),
                   kUsual.backoff_first),
      with_default(at_least(key("backoff_limit", ParamType::duration, "longest pause between restarts"), 1),
                   kUsual.backoff_limit),
  };
  return kKeys;
}

const KeyTable& cluster_keys() {
  static const KeyTable kKeys{
      required(key("log", ParamType::string, "servers of NATS JetStream: \"nats://n1,n2,n3\"")),
      with_range(key("replicas", ParamType::integer, "servers that keep each stream (1)"), 1, kMaxStreamReplicas),
      key("capacity", ParamType::any, "how much a stream holds"),
      key("credentials", ParamType::string, "file with the user's credentials"),
      key("tls", ParamType::any, "files for encrypted connections"),
      key("moves", ParamType::list, "hosts whose part may be started on another machine"),
  };
  return kKeys;
}

const KeyTable& cluster_capacity_keys() {
  static const KeyTable kKeys{
      required(
          with_range(key("bytes", ParamType::size, "of a stream; a full one blocks its writer"), 1, kMaxLinkBytes)),
  };
  return kKeys;
}

const KeyTable& tls_keys() {
  static const KeyTable kKeys{
      key("ca", ParamType::string, "certificate of the authority that signed the servers' ones"),
      key("cert", ParamType::string, "certificate of this side"),
      key("key", ParamType::string, "private key of `cert`"),
  };
  return kKeys;
}

const KeyTable& share_keys() {
  static const KeyTable kKeys{
      required(key("key", ParamType::any, "where the key of an item stands; {}: the item is its key")),
  };
  return kKeys;
}

const KeyTable& share_key_keys() {
  static const KeyTable kKeys{
      with_range(key("column", ParamType::integer, "column of a line of text, from 1"), 1, kMaxCount),
      key("separator", ParamType::string, "what stands between columns (white space)"),
      with_default(at_least(key("offset", ParamType::size, "place of the key's first byte"), 0), ItemKey{}.offset),
      at_least(key("bytes", ParamType::size, "length of the key"), 1),
      key("json", ParamType::string, "JSON pointer to a value in the item, a JSON document: \"/user/id\""),
  };
  return kKeys;
}

}  // namespace pystream::plan
