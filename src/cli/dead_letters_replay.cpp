#include "cli/dead_letters_replay.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/blocked_signals.hpp"
#include "base/number_text.hpp"
#include "cli/frame.hpp"
#include "cli/last_line.hpp"
#include "cli/prepared_run.hpp"
#include "cli/stage_of_run.hpp"
#include "cli/standard_error.hpp"
#include "cli/temporary_folder.hpp"
#include "cli/text.hpp"
#include "coord/audit.hpp"
#include "coord/coordinator.hpp"
#include "plan/branches.hpp"
#include "plan/stage_names.hpp"
#include "profile/home.hpp"
#include "store/letters.hpp"
#include "store/past_runs.hpp"
#include "store/stored_summary.hpp"

namespace pystream::cli {
namespace {

namespace fs = std::filesystem;

/// Where the items of the letters stand while they are replayed: a file each, in the letters' order.
class ItemFolder {
 public:
  void add(const std::string& bytes) {
    const fs::path file = path() / fmt::format("{:020}", count_++);
    std::ofstream out(file, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) {
      throw Error("cannot write " + file.string() + "; is the disk full?");
    }
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_{"replay"};
  std::uint64_t count_ = 0;
};

/// `code`: what the command ends with if there are none.
std::vector<store::DeadLetter> chosen_letters(store::Database& database, const ReplayOptions& options, int& code) {
  std::vector<store::DeadLetter> letters;
  std::optional<std::int64_t> run;
  for (const std::int64_t id : options.letters) {
    letters.push_back(store::read_letter(database, id));
  }
  if (options.letters.empty()) {
    run = store::find_run(database, options.run);
    letters = store::list_letters(database, run);
  }
  const StageOfRun stage(database, run, options.stage);
  std::erase_if(letters, [&](const store::DeadLetter& letter) { return !stage.includes(letter.stage); });
  code = stage.exit_code();
  return letters;
}

/// The one stage that all of them are of.
std::string stage_of(const std::vector<store::DeadLetter>& letters) {
  const std::string stage = plan::without_replicas(letters.front().stage);
  for (const store::DeadLetter& letter : letters) {
    if (plan::without_replicas(letter.stage) != stage) {
      throw BadUsage("found letters of " + plan::short_key(stage) + " and of " + plan::short_key(letter.stage) +
                     ", expected those of one stage; choose one with --stage");
    }
  }
  return stage;
}

/// What a letter holds is the item as it came to the process of its stage: to the first stage of its segment, or as the
/// source in front of it made it.
const plan::Node& first_node(const plan::Topology& topology, const std::string& stage) {
  for (const plan::WorkerSpec& worker : topology.workers) {
    for (const plan::Segment& segment : worker.segments) {
      const std::size_t first = segment.inputs.empty() ? 1 : 0;
      for (std::size_t i = first; i < segment.stages.size(); ++i) {
        if (plan::without_replicas(topology.stages[segment.stages[i]].key) == stage) {
          return *topology.stages[segment.stages[first]].node;
        }
      }
    }
  }
  throw BadUsage("the letters are of stage " + stage + ", and the plan has none of that name behind its source");
}

/// Where the letters' items enter what is left of the plan.
enum class Entrance {
  none,   ///< not in this pipeline
  way,    ///< what follows it follows
  aside,  ///< in a branch that ends in a sink of its own: nothing follows
};

/// What other branches make of an item is not kept, and may be a part of what comes out, or all of it.
void refuse_where_others_answer(const plan::Node& branches) {
  const std::string letters = "the letters are of a branch of " + branches.name + ", whose answers are joined by \"" +
                              std::string(to_string(branches.join)) + "\": ";
  if (branches.join == plan::Join::zip) {
    throw BadUsage(letters +
                   "an item cannot come out without the answers of the other branches, which are not kept; run "
                   "the plan once more with the input of these items");
  }
  if (branches.join == plan::Join::first) {
    throw BadUsage(letters +
                   "another branch may have answered these items, which would come out twice; remove the "
                   "letters, or run the plan once more with the input of these items");
  }
}

/// Leaves of `pipeline` only what comes from `first` on. Of branches, the letters go through their own alone.
Entrance begin_at(plan::Node& pipeline, const plan::Node* first) {
  auto& children = pipeline.children;
  for (auto child = children.begin(); child != children.end(); ++child) {
    const bool here = &*child == first;
    const Entrance inside = child->is_pipeline() && !here ? begin_at(*child, first) : Entrance::none;
    if (!here && inside == Entrance::none) {
      continue;
    }
    if (pipeline.branches()) {
      refuse_where_others_answer(pipeline);
    }
    const bool aside = inside == Entrance::aside || plan::is_tap(pipeline);
    children.erase(children.begin(), child);
    if (pipeline.branches() || aside) {
      children.erase(children.begin() + 1, children.end());
    }
    if (pipeline.branches()) {
      pipeline.mode = plan::Mode::parallel;
    }
    return aside ? Entrance::aside : Entrance::way;
  }
  return Entrance::none;
}

/// Takes the last stage, a sink, out of `pipeline`, and the pipelines that are empty without it.
plan::Node take_sink(plan::Node& pipeline) {
  plan::Node& last = pipeline.children.back();
  plan::Node sink = last.is_pipeline() ? take_sink(last) : last;
  if (!last.is_pipeline() || last.children.empty()) {
    pipeline.children.pop_back();
  }
  return sink;
}

/// The parameter that says where the sink writes; nullptr: none is set, or it is standard output.
const char* output_param(const Params& params) {
  for (const char* name : {"path", "directory"}) {
    if (params.has(name) && !params.string(name).empty() && params.string(name) != "-") {
      return name;
    }
  }
  return nullptr;
}

/// Where the items go when the sink is one of a branch: --output names another place for that, too.
void set_output(plan::StageSpec& sink, const std::string& output) {
  const bool folder = sink.params.has("directory") && !sink.params.string("directory").empty();
  sink.params.set(folder ? "directory" : "path", output);
}

/// What PLAN may say in place of a file.
constexpr const char* kPlanOfRun = "@run";

/// The plan that the letters' run was started with; empty: PLAN names another.
std::string kept_plan(store::Database& database, const ReplayOptions& options,
                      const std::vector<store::DeadLetter>& letters) {
  if (options.plan.file != kPlanOfRun || letters.empty()) {
    return {};
  }
  if (!options.plan.sets.empty() || !options.plan.output.empty()) {
    throw BadUsage("--set and --output need a plan file, as the plan of a run is used as it is; see --into");
  }
  for (const store::DeadLetter& letter : letters) {
    if (letter.run != letters.front().run) {
      throw BadUsage("found letters of several runs, expected those of one with " + std::string(kPlanOfRun));
    }
  }
  std::string text = store::read_plan(database, letters.front().run);
  if (text.empty()) {
    throw BadUsage("run " + std::to_string(letters.front().run) +
                   " has left no plan, as it had no profile; name the plan's file");
  }
  return text;
}

/// A name in `folder` that nobody has: "Store-1.txt" where the sink wrote a .txt file.
std::string new_place(const fs::path& folder, const std::string& sink, const fs::path& old) {
  fs::path place;
  int number = 0;
  do {
    place = folder / (sink + "-" + std::to_string(++number) + old.extension().string());
  } while (fs::exists(fs::symlink_status(place)));
  return place.string();
}

/// Of a sink that writes to files.
void write_into(const fs::path& folder, plan::Node& sink) {
  Params& params = sink.stage->params;
  if (const char* const name = output_param(params)) {
    const std::string sink_name = sink.name.empty() ? "Sink" : sink.name;
    const std::string place = new_place(folder, sink_name, params.string(name));
    params.set(name, place);
    warn("what comes out of " + sink_name + " is in " + place);
  }
}

void write_all_into(const fs::path& folder, plan::Node& pipeline) {
  for (plan::Node& child : pipeline.children) {
    if (child.is_pipeline()) {
      write_all_into(folder, child);
    } else if (child.kind == StageKind::sink) {
      write_into(folder, child);
    }
  }
}

/// All that the plan writes goes to new places in `folder`.
void write_all_into(const fs::path& folder, plan::Plan& plan) {
  fs::create_directories(folder);
  write_all_into(folder, plan.root);
  if (plan.exit == plan::EndKind::stage) {
    write_into(folder, plan.sink);
  }
}

/// A replay beside the run's own output must not write over it.
void require_output(const PlanOptions& options, const plan::Plan& plan) {
  if (!options.output.empty() || plan.exit != plan::EndKind::stage) {
    return;
  }
  const Params& params = plan.sink.stage->params;
  if (const char* const name = output_param(params)) {
    throw BadUsage("the sink would overwrite " + params.string(name) +
                   "; name another output for the replay with --output");
  }
}

/// Nor may it write over what a tap has put aside.
void refuse_to_write_over(const plan::Node& pipeline, const std::string& key) {
  for (const plan::Node& child : pipeline.children) {
    const std::string name = key + child.name;
    if (child.is_pipeline()) {
      refuse_to_write_over(child, name + ".");
      continue;
    }
    const Params& params = child.stage->params;
    const char* const param = child.kind == StageKind::sink ? output_param(params) : nullptr;
    if (param != nullptr && fs::exists(params.string(param)) && !fs::is_character_file(params.string(param))) {
      throw BadUsage("the sink " + name + " would overwrite " + params.string(param) +
                     "; name another output for the replay with --set " + name + "." + param + "=NEW");
    }
  }
}

void begin_with_letters(const ReplayOptions& all_options, plan::Plan& plan, const std::string& stage,
                        const fs::path& items) {
  const PlanOptions& options = all_options.plan;
  const plan::Topology topology = plan::make_topology(plan);
  const plan::Node& first = first_node(topology, stage);
  if (&first == &plan.sink) {
    plan.root.children.clear();
    plan.root.mode = plan::Mode::parallel;  // the sink is a process of its own, behind that of the letters
  } else if (begin_at(plan.root, &first) == Entrance::aside) {
    plan.sink = take_sink(plan.root);
    if (!options.output.empty()) {
      set_output(*plan.sink.stage, options.output);
    }
    if (plan.root.children.empty()) {
      plan.root.mode = plan::Mode::parallel;
    }
  }
  if (!all_options.into.empty()) {
    write_all_into(fs::absolute(all_options.into), plan);
  } else {
    require_output(options, plan);
    refuse_to_write_over(plan.root, "");
  }
  plan.source = {};
  plan.source.stage.emplace();
  plan.source.kind = StageKind::source;
  plan.source.stage->type = "letters";
  plan.source.stage->faults = plan::usual_source_faults();
  plan.source.stage->params.set("path", items.string());
  plan.entry = plan::EndKind::stage;
}

/// Each letter has come out, or it is a letter of the replay by now.
bool nothing_is_left_out(const coord::Audit& audit, std::size_t letters) {
  return audit.in == letters && audit.given_up == audit.letters && audit.dropped == 0 && audit.losses == 0;
}

}  // namespace

int replay_dead_letters(ReplayOptions options) {
  const fs::path folder = profile::profiler_folder(options.folder);
  const base::BlockedSignals blocked;  // but for those that the run takes: the folder is to be removed in any case
  ItemFolder items;
  std::vector<store::DeadLetter> letters;
  int code = kDone;
  std::string kept;
  {
    store::Database database = store::open_for_reading(folder);
    letters = chosen_letters(database, options, code);
    for (const store::DeadLetter& letter : letters) {
      items.add(store::read_letter_bytes(database, letter.id));
    }
    kept = kept_plan(database, options, letters);
  }
  if (letters.empty()) {
    print("no dead letters\n");
    return code;
  }
  const std::string stage = stage_of(letters);
  LoadedPlan loaded = kept.empty() ? load_plan(options.plan)
                                   : load_kept_plan(kept, "replay of run " + std::to_string(letters.front().run),
                                                    options.plan.worker_program);
  begin_with_letters(options, loaded.plan, stage, items.path());
  PreparedRun run(loaded, warn);
  coord::RunSetup setup = run.setup();
  setup.log = [](const coord::LogLine& line) {
    say({.message = line.text, .worker = line.worker, .stage = line.stage, .item = line.item});
  };
  coord::Coordinator coordinator(std::move(setup));
  const coord::Outcome outcome = run_unwaited(coordinator);
  const coord::Audit audit = coord::audit(run.topology(), coordinator.view());
  // Not on standard output, which may be the sink's.
  warn(fmt::format("{} replayed from {} on: {} came out, {} given up again", base::count_text(audit.in, "letter"),
                   plan::short_key(stage), audit.out, audit.given_up));
  const RunEnd end{.outcome = outcome,
                   .failure = coordinator.failure() ? coordinator.failure()->text : "",
                   .audit = audit,
                   .letters_command = run.letters_command(),
                   .accept_dead_letters = options.accept_dead_letters};
  if (const std::string line = last_line(end); !line.empty()) {
    warn(line);
  }
  if (options.remove && outcome == coord::Outcome::done) {
    if (nothing_is_left_out(audit, letters.size())) {
      store::remove_letters(profile::database_in(folder), letters);
    } else {
      warn("--remove: not every letter came out or became a letter of the replay; all of them are kept");
    }
  }
  return exit_code(end);
}

}  // namespace pystream::cli
