#include <cstdint>
#include <pystream/error.hpp>
#include <string>
#include <utility>

#include "cli/units.hpp"
#include "plan/json.hpp"

namespace pystream::cli {
namespace {

ParamValue text(std::string value) {
  return ParamValue(std::move(value));
}

ParamValue seconds(std::int64_t count) {
  return ParamValue(count * 1'000'000'000);
}

/// Nomad replaces ${name} in a task, and has no way to say that it must not.
ParamValue literal(const std::string& word) {
  if (word.find("${") != std::string::npos) {
    throw Error("found " + plan::in_quotes(word) +
                " for the command line of a task of Nomad, expected text without \"${\"");
  }
  return text(word);
}

ParamMap task_of(const UnitSet& units, const PartUnit& part) {
  ParamList arguments{text("run"), literal(units.file.string())};
  for (const std::string& argument : part.arguments) {
    arguments.push_back(literal(argument));
  }
  return {{"Name", text("part")},
          {"Driver", text("raw_exec")},
          {"Config", ParamMap{{"command", literal(units.program.string())},
                              {"args", ParamValue(std::move(arguments))},
                              {"work_dir", literal(units.folder.string())}}},
          {"KillTimeout", seconds(kStopSeconds)}};
}

ParamMap group_of(const UnitSet& units, const PartUnit& part) {
  ParamMap group{{"Name", text(part.host)}, {"Count", ParamValue(1)}};
  if (!part.moves) {
    group.emplace_back("Constraints", ParamList{ParamValue(ParamMap{{"LTarget", text("${meta.pystream_host}")},
                                                                    {"RTarget", text(part.host)},
                                                                    {"Operand", text("=")}})});
  }
  group.emplace_back(
      "RestartPolicy",
      ParamMap{{"Attempts", ParamValue(5)}, {"Interval", seconds(10)}, {"Delay", seconds(1)}, {"Mode", text("delay")}});
  group.emplace_back(
      "ReschedulePolicy",
      ParamMap{{"Unlimited", ParamValue(true)}, {"Delay", seconds(5)}, {"DelayFunction", text("constant")}});
  group.emplace_back("Tasks", ParamList{ParamValue(task_of(units, part))});
  return group;
}

}  // namespace

std::string nomad_job(const UnitSet& units) {
  ParamList groups;
  for (const PartUnit& part : units.parts) {
    groups.emplace_back(group_of(units, part));
  }
  const ParamMap job{{"ID", text(units.plan)},
                     {"Name", text(units.plan)},
                     {"Type", text("batch")},
                     {"Datacenters", ParamList{text("*")}},
                     {"TaskGroups", ParamValue(std::move(groups))}};
  return plan::dump_json(ParamMap{{"Job", ParamValue(job)}}) + "\n";
}

}  // namespace pystream::cli
