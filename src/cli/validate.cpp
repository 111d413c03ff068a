#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "base/memory.hpp"
#include "base/number_text.hpp"
#include "cli/commands.hpp"
#include "cli/load_plan.hpp"
#include "cli/style.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"
#include "plan/hosts.hpp"
#include "plan/json.hpp"
#include "plan/plan_json.hpp"
#include "plan/stage_names.hpp"
#include "plan/topology.hpp"
#include "setup/layout.hpp"
#include "shm/segment.hpp"

namespace pystream::cli {
namespace {

struct Options {
  PlanOptions plan;
  bool json = false;
};

/// What would run, and what it would take.
struct Survey {
  explicit Survey(const LoadedPlan& loaded)
      : topology(plan::make_topology(loaded.plan)),
        spec(setup::segment_spec(topology, loaded.checkpoint_bytes(topology), plan::write_plan(loaded.plan),
                                 loaded.plan.profiler)),
        memory(shm::footprint(spec)),
        available(base::available_memory()) {}

  bool fits() const { return memory.reserved <= available; }
  const plan::PlacedStage& placed(plan::StageId id) const { return topology.stages[id]; }
  /// The link as it lies in shared memory.
  const shm::LinkSize& size_of(std::size_t link) const { return spec.links[link]; }

  plan::Topology topology;
  shm::SegmentSpec spec;
  shm::Footprint memory;
  std::uint64_t available;
};

std::vector<std::string> stages_of(const Survey& survey, const plan::WorkerSpec& worker) {
  std::vector<std::string> stages;
  for (const plan::Segment& segment : worker.segments) {
    for (const plan::StageId id : segment.stages) {
      const plan::PlacedStage& placed = survey.placed(id);
      const std::string& type = placed.node->stage->type;
      stages.push_back(placed.key == worker.name ? type : plan::short_key(placed.key) + " (" + type + ")");
    }
  }
  return stages;
}

/// A line for a worker; on a terminal, which would cut it, a line for each of its stages.
void add_worker(const Survey& survey, const plan::WorkerSpec& worker, bool on_terminal,
                std::vector<std::vector<std::string>>& rows) {
  const std::vector<std::string> stages = stages_of(survey, worker);
  std::string name = plan::short_key(worker.name);
  if (!on_terminal || stages.empty()) {
    rows.push_back({name, joined(stages, ", ")});
    return;
  }
  for (const std::string& stage : stages) {
    rows.push_back({std::exchange(name, {}), stage});
  }
}

std::string capacity_text(const shm::LinkSize& size) {
  std::string text = base::size_text(size.ring_bytes) + " ring";
  if (size.items_limit > 0) {
    text += ", at most " + base::count_text(size.items_limit, "item");
  }
  if (size.time_limit_ns > 0) {
    text += ", " + base::duration_text(static_cast<std::int64_t>(size.time_limit_ns)) + " of work";
  }
  return text + ", items up to " + base::size_text(size.item_limit);
}

std::vector<std::string> names_in(const plan::Part& part) {
  std::vector<std::string> names;
  for (const plan::Member& member : plan::members_of(part.plan)) {
    const bool made =
        (part.input && member.node == &part.plan.source) || (part.output && member.node == &part.plan.sink);
    if (!made) {
      names.push_back(member.name);
    }
  }
  return names;
}

std::string report(const std::vector<plan::Part>& parts, const base::TextTable::Look& look) {
  std::vector<std::vector<std::string>> rows;
  for (const plan::Part& part : parts) {
    rows.push_back({part.host, joined(names_in(part), ", "), part.output ? "-> " + part.output->stream : "",
                    part.output ? part.output->item_type : "", part.moves ? "may move" : ""});
  }
  return "\n" + Style(STDOUT_FILENO).bold(base::count_text(parts.size(), "part")) + "\n" + table(rows, 2, look);
}

std::string report(const LoadedPlan& loaded, const Survey& survey, const std::vector<plan::Part>& parts) {
  const Style style(STDOUT_FILENO);
  const base::TextTable::Look look = look_of(STDOUT_FILENO);
  std::string out = shown_on(STDOUT_FILENO, shown_file(loaded.file)) + ": " + style.green("valid") + "\n\n";
  for (const std::string& note : loaded.notes) {
    out += note + "\n";
  }
  out += loaded.notes.empty() ? "" : "\n";
  std::vector<std::vector<std::string>> rows;
  for (const plan::WorkerSpec& worker : survey.topology.workers) {
    add_worker(survey, worker, look.width.has_value(), rows);
  }
  out += style.bold(base::count_text(survey.topology.workers.size(), "worker process")) + "\n" + table(rows, 2, look);
  rows.clear();
  for (std::size_t i = 0; i < survey.topology.item_links().size(); ++i) {
    const plan::LinkSpec& link = survey.topology.links[i];
    rows.push_back(
        {link.name, capacity_text(survey.size_of(i)),
         link.options.overflow == plan::Overflow::block ? "" : std::string(plan::to_string(link.options.overflow))});
  }
  out += "\n" + style.bold(base::count_text(rows.size(), "link")) + "\n" + table(rows, 2, look);
  out += "\n" + style.bold("Shared memory") + "\n" +
         table({{"reserved at the start", base::size_text(survey.memory.reserved)},
                {"at most", base::size_text(survey.memory.limit)},
                {"available now", base::size_text(survey.available)}},
               2, look);
  return parts.empty() ? out : out + report(parts, look);
}

ParamValue number(std::uint64_t value) {
  return ParamValue(static_cast<std::int64_t>(value));
}

ParamValue worker_json(const Survey& survey, const plan::WorkerSpec& worker) {
  ParamList stages;
  for (const plan::Segment& segment : worker.segments) {
    for (const plan::StageId id : segment.stages) {
      const plan::PlacedStage& placed = survey.placed(id);
      stages.emplace_back(ParamMap{{"key", ParamValue(placed.key)}, {"type", ParamValue(placed.node->stage->type)}});
    }
  }
  return ParamMap{{"name", ParamValue(worker.name)}, {"stages", ParamValue(std::move(stages))}};
}

ParamValue link_json(const Survey& survey, std::size_t id) {
  const plan::LinkSpec& link = survey.topology.links[id];
  const shm::LinkSize& size = survey.size_of(id);
  return ParamMap{{"name", ParamValue(link.name)},
                  {"producer", ParamValue(survey.topology.workers[link.producer.worker].name)},
                  {"consumer", ParamValue(survey.topology.workers[link.consumers.front().worker].name)},
                  {"ring_bytes", number(size.ring_bytes)},
                  {"item_bytes_limit", number(size.item_limit)},
                  {"items_limit", size.items_limit > 0 ? number(size.items_limit) : ParamValue()},
                  {"time_limit_ns", size.time_limit_ns > 0 ? number(size.time_limit_ns) : ParamValue()},
                  {"overflow", ParamValue(std::string(plan::to_string(link.options.overflow)))}};
}

ParamValue part_json(const plan::Part& part) {
  ParamList members;
  for (const std::string& name : names_in(part)) {
    members.emplace_back(name);
  }
  return ParamMap{{"host", ParamValue(part.host)},
                  {"members", ParamValue(std::move(members))},
                  {"reads", part.input ? ParamValue(part.input->stream) : ParamValue()},
                  {"writes", part.output ? ParamValue(part.output->stream) : ParamValue()},
                  {"item_type", part.output ? ParamValue(part.output->item_type) : ParamValue()},
                  {"may_move", ParamValue(part.moves)}};
}

std::string report_json(const LoadedPlan& loaded, const Survey& survey, const std::vector<plan::Part>& parts) {
  ParamList workers;
  for (const plan::WorkerSpec& worker : survey.topology.workers) {
    workers.push_back(worker_json(survey, worker));
  }
  ParamList links;
  for (std::size_t i = 0; i < survey.topology.item_links().size(); ++i) {
    links.push_back(link_json(survey, i));
  }
  ParamMap out{{"plan", ParamValue(loaded.file.string())},
               {"valid", ParamValue(true)},
               {"workers", ParamValue(std::move(workers))},
               {"links", ParamValue(std::move(links))},
               {"memory", ParamValue(ParamMap{{"reserved", number(survey.memory.reserved)},
                                              {"limit", number(survey.memory.limit)},
                                              {"available", number(survey.available)}})}};
  if (!parts.empty()) {
    ParamList all;
    std::ranges::transform(parts, std::back_inserter(all), part_json);
    out.emplace_back("parts", ParamValue(std::move(all)));
  }
  return plan::dump_json(ParamValue(std::move(out))) + "\n";
}

int validate(const Options& options) {
  const LoadedPlan loaded = load_plan(options.plan);
  const Survey survey(loaded);
  checked_files(loaded, survey.topology, false);
  const bool whole = loaded.plan.cluster.has_value();  // it is not the part of one host
  const std::vector<plan::Part> parts = whole ? cut_plan(loaded, options.plan.run) : std::vector<plan::Part>();
  print(options.json ? report_json(loaded, survey, parts) : report(loaded, survey, parts));
  if (!survey.fits()) {
    warn("this plan needs " + base::size_text(survey.memory.reserved) + " of shared memory at once, but only " +
         base::size_text(survey.available) +
         " is available now: it would not start; use fewer workers or a smaller links.capacity.bytes");
  }
  return kDone;
}

}  // namespace

void add_validate(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(app, "validate", "Check a plan, and show its processes and the memory it needs",
                                  "  pystream-coord validate pipeline.json\n"
                                  "  pystream-coord validate pipeline.json --set Resize.width=640 --json\n"
                                  "  pystream-coord validate pipeline.json --host gpu\n"
                                  "  pystream-coord validate - < pipeline.json");
  auto options = std::make_shared<Options>();
  add_plan_options(command, options->plan);
  add_host_options(command, options->plan);
  command.add_flag("--json", options->json, "Print the result as JSON");
  command.callback([options, &chosen] { chosen = [options] { return validate(*options); }; });
}

}  // namespace pystream::cli
