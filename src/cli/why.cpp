#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>

#include "cli/commands.hpp"
#include "cli/stage_of_run.hpp"
#include "cli/terminal.hpp"
#include "coord/symbols.hpp"
#include "plan/stage_names.hpp"
#include "profile/home.hpp"
#include "store/events.hpp"
#include "store/stored_summary.hpp"

namespace pystream::cli {
namespace {

struct WhyOptions {
  std::string stage;
  std::string run = "last";
  std::size_t newest = 3;
  std::string folder;
};

/// "stage KEY was killed …": KEY; else the worker's name.
std::string key_of(const store::StoredEvent& event) {
  constexpr std::string_view kBefore = "stage ";
  if (!event.text.starts_with(kBefore)) {
    return event.worker;
  }
  return event.text.substr(kBefore.size(), event.text.find(' ', kBefore.size()) - kBefore.size());
}

/// "  #0 /path/libfoo.so+0x1234", as coord::stack_text() writes it.
std::optional<coord::CrashFrame> frame_in(const std::string& line) {
  const std::size_t path = line.starts_with("  #") ? line.find(" /") : std::string::npos;
  const std::size_t plus = line.rfind("+0x");
  if (path == std::string::npos || plus == std::string::npos || plus < path) {
    return std::nullopt;
  }
  coord::CrashFrame frame{.module = line.substr(path + 1, plus - path - 1)};
  const auto [end, error] = std::from_chars(line.data() + plus + 3, line.data() + line.size(), frame.offset, 16);
  return error == std::errc() ? std::optional(frame) : std::nullopt;
}

std::string with_names(const std::string& text, coord::Symbols& symbols) {
  std::vector<coord::CrashFrame> frames;
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
    if (auto frame = frame_in(line)) {
      frames.push_back(std::move(*frame));
    }
  }
  const std::vector<std::string> names = symbols.names_of(frames);
  std::string out;
  std::size_t next = 0;
  for (const std::string& line : lines) {
    const bool named = frame_in(line) && next < names.size();
    const std::string name = named ? names[next++] : "";
    out += line + (name.empty() ? "" : " (" + name + ")") + "\n";
  }
  return out;
}

int why(const WhyOptions& options) {
  store::Database database = store::open_for_reading(profile::profiler_folder(options.folder));
  const std::int64_t run = store::find_run(database, options.run);
  std::vector<store::StoredEvent> crashes = store::list_events(database, run, "crash");
  const StageOfRun stage(database, run, options.stage);
  std::erase_if(crashes, [&](const auto& event) { return !stage.includes(key_of(event)); });
  const store::RunEnd end = store::read_run_end(database, run);
  std::string text = fmt::format("run {}: {}{}\n", run, end.outcome, end.reason.empty() ? "" : ", " + end.reason);
  if (crashes.empty()) {
    text += options.stage.empty() ? "no worker has died\n" : "stage " + stage.name() + " has not died\n";
  }
  const std::size_t left_out = crashes.size() - std::min(crashes.size(), options.newest);
  if (left_out > 0) {
    text += fmt::format("{}; the newest {}:\n", fmt::format("{} crashes", crashes.size()), options.newest);
  }
  coord::Symbols symbols;
  for (std::size_t i = left_out; i < crashes.size(); ++i) {
    text += fmt::format("after {:.3f} s: {}", crashes[i].seconds, with_names(crashes[i].text, symbols));
  }
  print(shown_on(STDOUT_FILENO, text));
  return stage.exit_code();
}

}  // namespace

void add_why(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(app, "why", "Show why the workers of a run died",
                                  "  pystream-coord why Decode\n"
                                  "  pystream-coord why --run last-1");
  const auto options = std::make_shared<WhyOptions>();
  command.add_option("STAGE", options->stage, "Name or key of the stage; default: all stages");
  command.add_option("--run", options->run, "Number of the run, or last, last-1, ...")->type_name("RUN");
  command.add_option("-n,--newest", options->newest, "How many crashes to show (3)")
      ->check(whole_number())
      ->type_name("N");
  command.add_option("--folder", options->folder, "Profiler folder, if it is not the default one")->type_name("DIR");
  command.callback([options, &chosen] { chosen = [options] { return why(*options); }; });
}

}  // namespace pystream::cli
