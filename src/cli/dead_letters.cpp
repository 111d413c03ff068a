#include "base/number_text.hpp"
#include "cli/commands.hpp"
#include "cli/dead_letters_replay.hpp"
#include "cli/output_file.hpp"
#include "cli/stage_of_run.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"
#include "plan/stage_names.hpp"
#include "profile/home.hpp"
#include "store/letters.hpp"
#include "store/stored_summary.hpp"

namespace pystream::cli {
namespace {

struct LetterOptions {
  std::string run;
  std::int64_t id = 0;
  std::string stage;
  bool bytes = false;
  std::string output;
  bool json = false;
  std::string folder;
};

std::string listed(const std::vector<store::DeadLetter>& letters) {
  using Cut = base::TextTable::Cut;
  base::TextTable table({{.title = "letter", .right = true},
                         {.title = "run", .right = true, .drop = 1},
                         {.title = "stage", .cut = Cut::middle},
                         {.title = "item", .right = true},
                         {.title = "attempts", .right = true, .drop = 2},
                         {.title = "size", .right = true, .drop = 3},
                         {.title = "reason", .cut = Cut::end}});
  for (const store::DeadLetter& letter : letters) {
    table.add({std::to_string(letter.id), std::to_string(letter.run), plan::short_key(letter.stage),
               std::to_string(letter.sequence), std::to_string(letter.attempts), base::size_text(letter.size),
               plan::short_key(letter.reason)});
  }
  return table.text(look_of(STDOUT_FILENO));
}

int list(const LetterOptions& options) {
  store::Database database = store::open_for_reading(profile::profiler_folder(options.folder));
  const auto run = options.run.empty() ? std::nullopt : std::optional(store::find_run(database, options.run, true));
  std::vector<store::DeadLetter> letters = store::list_letters(database, run);
  const StageOfRun stage(database, run, options.stage);
  std::erase_if(letters, [&](const auto& letter) { return !stage.includes(letter.stage); });
  if (options.json) {
    print(store::to_json(letters));
  } else {
    print(letters.empty() ? "no dead letters\n" : listed(letters));
  }
  return stage.exit_code();
}

int show(const LetterOptions& options) {
  store::Database database = store::open_for_reading(profile::profiler_folder(options.folder));
  if (options.bytes) {
    write_output(options.output, store::read_letter_bytes(database, options.id),
                 profile::database_files_in(profile::profiler_folder(options.folder)));
    return kDone;
  }
  if (!options.output.empty()) {
    throw BadUsage("--output needs --bytes");
  }
  const store::DeadLetter letter = store::read_letter(database, options.id);
  std::string text = "letter    " + std::to_string(letter.id) + "\nrun       " + std::to_string(letter.run) +
                     "\ntime      " + base::date_text(letter.time) + "\nstage     " + letter.stage + "\nitem      " +
                     std::to_string(letter.sequence) +
                     (letter.part > 0 ? ", part " + std::to_string(letter.part) : "") + "\nattempts  " +
                     std::to_string(letter.attempts) + "\nsize      " + base::size_text(letter.size) + "\nreason    " +
                     letter.reason + "\n";
  if (letter.signal != 0) {
    text += "signal    " + std::to_string(letter.signal) + "\n";
  }
  if (!letter.file.empty()) {
    text += "bytes in  " + (database.path().parent_path() / letter.file).string() + "\n";
  }
  if (!letter.stack.empty()) {
    text += "stack\n" + letter.stack + "\n";
  }
  print(shown_on(STDOUT_FILENO, text));
  return kDone;
}

}  // namespace

void add_dead_letters(CLI::App& app, Command& chosen) {
  CLI::App& command =
      add_command(app, "dead-letters", "Look at the items that stages could not process, and try them again",
                  "  pystream-coord dead-letters list --run last\n"
                  "  pystream-coord dead-letters list --stage Decode --json\n"
                  "  pystream-coord dead-letters show 3\n"
                  "  pystream-coord dead-letters show 3 --bytes -o item.bin\n"
                  "  pystream-coord dead-letters replay pipeline.json 3 4 --output rest.txt\n"
                  "  pystream-coord dead-letters replay pipeline.json --output rest.txt --remove");
  command.require_subcommand(1);
  const auto options = std::make_shared<LetterOptions>();
  CLI::App* listing = command.add_subcommand("list", "One line for each");
  listing->add_option("--run", options->run, "Of this run only: a number, or last, last-1, ...")->type_name("RUN");
  listing->add_option("--stage", options->stage, "Of this stage only, or of the stages of this pipeline");
  listing->add_flag("--json", options->json, "For programs");
  CLI::App* showing = command.add_subcommand("show", "All of one, or its bytes");
  showing->add_option("LETTER", options->id, "Its number in the list")->required()->check(whole_number());
  showing->add_flag("--bytes", options->bytes, "Write the item's bytes");
  showing->add_option("-o,--output", options->output, "With --bytes: to this file instead of standard output")
      ->type_name("FILE");
  const auto again = std::make_shared<ReplayOptions>();
  CLI::App* replaying = command.add_subcommand(
      "replay", "Feed letters to a plan (as a rule the one they came from, put right), from the stage on that failed");
  add_plan_options(*replaying, again->plan);
  replaying->remove_option(replaying->get_option("--input"));
  replaying->get_option("PLAN")->description(
      "Plan file; - is standard input, and @run the plan that the letters' run was started with");
  replaying->add_option("LETTER", again->letters, "Numbers in the list; without them: all of --run")
      ->check(whole_number())
      ->type_name("");
  replaying->add_option("--run", again->run, "A number, or last (the default), last-1, ...")->type_name("RUN");
  replaying->add_option("--stage", again->stage, "Only letters of this stage");
  replaying
      ->add_option("--into", again->into,
                   "Sinks that write files write new ones in this folder, whatever the plan says")
      ->excludes(replaying->get_option("--output"))
      ->type_name("DIR");
  replaying->add_flag("--remove", again->remove,
                      "Delete the letters once the replay has ended; those that fail again are new letters");
  replaying->add_flag("--accept-dead-letters", again->accept_dead_letters,
                      "Exit code 0 also if items became dead letters again (without it 3)");
  replaying->add_option("--folder", again->folder, "Profiler folder, if it is not the default one")->type_name("DIR");
  replaying->callback([again, &chosen] { chosen = [again] { return replay_dead_letters(*again); }; });
  for (CLI::App* sub : {listing, showing}) {
    sub->add_option("--folder", options->folder, "Profiler folder, if it is not the default one")->type_name("DIR");
  }
  listing->callback([options, &chosen] { chosen = [options] { return list(*options); }; });
  showing->callback([options, &chosen] { chosen = [options] { return show(*options); }; });
}

}  // namespace pystream::cli
