#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "cli/units.hpp"
#include "cli/yaml.hpp"

namespace pystream::cli {
namespace {

constexpr const char* kImage = "pystream";
constexpr const char* kFolder = "/etc/pystream";
constexpr const char* kFile = "plan.json";

ParamValue text(std::string value) {
  return ParamValue(std::move(value));
}

/// Kubernetes replaces $(NAME) in arguments, and "$$" by "$".
std::string literal(const std::string& argument) {
  std::string out;
  for (const char c : argument) {
    out += c == '$' ? "$$" : std::string(1, c);
  }
  return out;
}

ParamMap labels(const UnitSet& units, const PartUnit& part) {
  return {{"app.kubernetes.io/name", text("pystream")},
          {"app.kubernetes.io/part-of", text(units.plan)},
          {"app.kubernetes.io/component", text(part.host)}};
}

/// A part that may move is started elsewhere soon after its node is gone; any other waits for its node.
std::pair<std::string, ParamValue> place_of(const PartUnit& part) {
  if (!part.moves) {
    return {"nodeSelector", ParamMap{{"pystream/host", text(part.host)}}};
  }
  ParamList tolerations;
  for (const char* const key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    tolerations.emplace_back(ParamMap{{"key", text(key)},
                                      {"operator", text("Exists")},
                                      {"effect", text("NoExecute")},
                                      {"tolerationSeconds", ParamValue(5)}});
  }
  return {"tolerations", ParamValue(std::move(tolerations))};
}

ParamMap container_of(const PartUnit& part) {
  ParamList command{text("pystream-coord"), text("run"), text(std::string(kFolder) + "/" + kFile)};
  for (const std::string& argument : part.arguments) {
    command.push_back(text(literal(argument)));
  }
  return {
      {"name", text("part")},
      {"image", text(kImage)},
      {"command", ParamValue(std::move(command))},
      {"volumeMounts", ParamList{ParamValue(ParamMap{
                           {"name", text("plan")}, {"mountPath", text(kFolder)}, {"readOnly", ParamValue(true)}})}}};
}

ParamMap pod_of(const UnitSet& units, const PartUnit& part) {
  const ParamMap config_map{{"name", text(units.plan)}};
  return {{"restartPolicy", text("OnFailure")},
          {"terminationGracePeriodSeconds", ParamValue(kStopSeconds)},
          place_of(part),
          {"containers", ParamList{ParamValue(container_of(part))}},
          {"volumes", ParamList{ParamValue(ParamMap{{"name", text("plan")}, {"configMap", ParamValue(config_map)}})}}};
}

ParamMap job_of(const UnitSet& units, const PartUnit& part) {
  const ParamMap pod{{"metadata", ParamMap{{"labels", ParamValue(labels(units, part))}}},
                     {"spec", ParamValue(pod_of(units, part))}};
  return {
      {"apiVersion", text("batch/v1")},
      {"kind", text("Job")},
      {"metadata", ParamMap{{"name", text(units.plan + "-" + part.host)}, {"labels", ParamValue(labels(units, part))}}},
      {"spec", ParamMap{{"backoffLimit", ParamValue(std::int64_t{std::numeric_limits<std::int32_t>::max()})},
                        {"template", ParamValue(pod)}}}};
}

}  // namespace

std::string kubernetes_jobs(const UnitSet& units) {
  std::string out =
      "# The image needs pystream and the plugins of the plan. The plan is a ConfigMap:\n"
      "#   kubectl create configmap " +
      units.plan + " --from-file=" + kFile + "=YOUR_PLAN\n";
  for (const PartUnit& part : units.parts) {
    out += "---\n" + yaml_text(ParamValue(job_of(units, part)));
  }
  return out;
}

}  // namespace pystream::cli
