#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "plan/plan_json.hpp"
#include "plan/topology.hpp"

/// Plans, stage types and look-ups for the tests of this folder.
namespace pystream::plan::test {

inline StageType make_type(std::string name, StageKind kind, std::string input, std::string output,
                           std::vector<ParamSpec> params = {}) {
  StageType type;
  type.name = std::move(name);
  type.kind = kind;
  type.info = {.summary = "", .params = std::move(params), .input = std::move(input), .output = std::move(output)};
  return type;
}

inline StageType make_program_type(const ParamSpec& framing) {
  StageType type = make_type("program", StageKind::stage, "any", "any", {framing});
  type.info.framing = framing.name;
  return type;
}

inline std::vector<StageType> make_types() {
  const auto spec = [](std::string name, ParamType type, std::optional<ParamValue> fallback) {
    return ParamSpec{.name = std::move(name), .type = type, .fallback = std::move(fallback)};
  };
  ParamSpec width = spec("width", ParamType::integer, std::nullopt);
  width.min = 1;
  width.max = 10000;
  ParamSpec kernel = spec("kernel", ParamType::string, "sharpen");
  kernel.choices = {"sharpen", "blur"};
  return {
      make_type("files", StageKind::source, "", "bytes",
                {spec("path", ParamType::string, std::nullopt), spec("pattern", ParamType::string, "*")}),
      make_type("lines", StageKind::source, "", "text"),
      make_type("image.decode", StageKind::stage, "bytes", "image"),
      make_type("image.resize", StageKind::stage, "image", "image", {width}),
      make_type("image.convolve", StageKind::stage, "image", "image", {kernel}),
      make_type("image.encode", StageKind::stage, "image", "bytes", {spec("format", ParamType::string, "png")}),
      make_type("pass", StageKind::stage, "any", "any",
                {spec("flag", ParamType::boolean, false), spec("ratio", ParamType::number, 1.0),
                 spec("size", ParamType::size, "1KiB"), spec("wait", ParamType::duration, "1s"),
                 spec("list", ParamType::list, ParamValue()), spec("extra", ParamType::any, ParamValue()),
                 spec("label", ParamType::string, ParamValue())}),
      make_type("image.unknown", StageKind::stage, "bytes", "any"),
      make_program_type(spec("framing", ParamType::any, "lines")),
      make_type("file_writer", StageKind::sink, "any", "", {spec("directory", ParamType::string, ParamValue())}),
      make_type("lines_writer", StageKind::sink, "any", "", {spec("item_type", ParamType::string, "")}),
      make_type("null", StageKind::sink, "any", ""),
  };
}

inline const std::vector<StageType>& types() {
  static const std::vector<StageType> kTypes = make_types();
  return kTypes;
}

inline Node make_stage(std::string name, std::string type = "pass") {
  Node node;
  node.name = std::move(name);
  node.stage.emplace();
  node.stage->type = std::move(type);
  return node;
}

inline Node make_pipeline(std::string name, Mode mode, std::vector<Node> children) {
  Node node;
  node.name = std::move(name);
  node.mode = mode;
  node.children = std::move(children);
  return node;
}

inline Plan make_plan(Mode mode, std::vector<Node> children, EndKind ends = EndKind::stage) {
  Plan plan;
  plan.root = make_pipeline(std::string(kMainPipeline), mode, std::move(children));
  plan.entry = ends;
  plan.exit = ends;
  if (ends == EndKind::stage) {
    plan.source = make_stage("", "lines");
    plan.sink = make_stage("", "null");
  }
  return plan;
}

/// A plan file around `stages`, the text of a JSON list; `more` are further keys, each after a comma.
inline std::string plan_text(const std::string& stages, const std::string& more = "") {
  return R"({"source": {"type": "lines"}, "sink": {"type": "null"}, "stages": )" + stages + more + "}";
}

inline std::vector<std::string> faults_in(const std::string& json, std::span<const ParamOverride> overrides = {}) {
  const auto result = read_plan(json, types(), overrides);
  std::vector<std::string> texts;
  if (const auto* faults = std::get_if<std::vector<PlanFault>>(&result)) {
    std::transform(faults->begin(), faults->end(), std::back_inserter(texts),
                   [](const PlanFault& fault) { return to_string(fault, ""); });
  }
  return texts;
}

/// The plan, which must have no faults.
inline Plan sound(std::variant<Plan, std::vector<PlanFault>> result) {
  if (auto* plan = std::get_if<Plan>(&result)) {
    return std::move(*plan);
  }
  for (const PlanFault& fault : std::get<std::vector<PlanFault>>(result)) {
    ADD_FAILURE() << to_string(fault, "plan");
  }
  return {};
}
inline Plan plan_in(const std::string& json, std::span<const ParamOverride> overrides = {}) {
  return sound(read_plan(json, types(), overrides));
}
/// As a worker reads what a coordinator wrote.
inline Plan written_plan_in(const std::string& json) {
  return sound(read_written_plan(json, types()));
}

using Texts = std::vector<std::string>;

}  // namespace pystream::plan::test
