#include "cli/auto_replicas.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <thread>
#include <variant>

#include "base/child_process.hpp"
#include "plan/json.hpp"
#include "plan/stage_names.hpp"
#include "profile/replica_advice.hpp"

namespace pystream::cli {
namespace {

struct Chosen {
  std::string key;
  plan::Node* node;
};

void collect(plan::Node& pipeline, const std::string& key, std::vector<Chosen>& all) {
  for (plan::Node& child : pipeline.children) {
    const std::string child_key = key + std::string(plan::kSeparator) + child.name;
    if (child.auto_replicas) {
      all.push_back({.key = child_key, .node = &child});
    }
    collect(child, child_key, all);
  }
}

/// What `pystream-coord advise --json` has printed.
struct Advice {
  std::int64_t run = 0;
  std::vector<profile::Workload> loads{};
};

template <class T>
T value_or(const ParamValue& object, const char* name, T fallback) {
  const ParamValue* value = plan::find_key(object, name);
  const T* given = value != nullptr ? std::get_if<T>(value) : nullptr;
  return given != nullptr ? *given : fallback;
}

std::optional<Advice> advice_in(const std::string& text) {
  const plan::ParsedJson document = plan::parse_json(text);
  const ParamValue* workers = document.complete ? plan::find_key(document.value, "workers") : nullptr;
  const auto* list = workers != nullptr ? std::get_if<ParamList>(workers) : nullptr;
  if (list == nullptr) {
    return std::nullopt;
  }
  Advice advice{.run = value_or<std::int64_t>(document.value, "run", 0)};
  for (const ParamValue& worker : *list) {
    advice.loads.push_back({.name = value_or<std::string>(worker, "name", {}),
                            .service_s = value_or<double>(worker, "service_s", 0),
                            .replicas = static_cast<std::uint32_t>(value_or<std::int64_t>(worker, "replicas", 1))});
  }
  return advice;
}

std::optional<Advice> advice_for(const plan::Plan& plan, const std::string& run) {
  base::ChildCommand command{.arguments = {"/proc/self/exe", "advise", run, "--json"}};
  if (plan.profiler.folder) {
    command.arguments.insert(command.arguments.end(), {"--folder", plan.profiler.folder->string()});
  }
  const base::ChildResult result = base::run_child(command);
  return result.may_have_succeeded() ? advice_in(result.output) : std::nullopt;
}

}  // namespace

std::vector<std::string> choose_replicas(plan::Plan& plan, const std::string& run) {
  std::vector<Chosen> all;
  collect(plan.root, std::string(plan::kMainPipeline), all);
  if (all.empty()) {
    return {};
  }
  std::vector<std::string> keys;
  std::ranges::transform(all, std::back_inserter(keys), &Chosen::key);
  const std::optional<Advice> advice = advice_for(plan, run);
  std::vector<std::string> notes;
  for (const Chosen& chosen : all) {
    const auto replicas =
        advice ? profile::recommended_replicas(advice->loads, chosen.key, keys, std::thread::hardware_concurrency())
               : std::nullopt;
    chosen.node->replicas = std::min(replicas.value_or(1), plan::kMaxReplicas - 1);
    notes.push_back("replicas of " + plan::short_key(chosen.key) + ": " + std::to_string(chosen.node->replicas) +
                    (replicas ? ", as run " + std::to_string(advice->run) + " recommends"
                              : ", as there is no profile of an earlier run of this plan"));
  }
  return notes;
}

}  // namespace pystream::cli
