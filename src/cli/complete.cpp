#include <memory>

#include "base/display_text.hpp"
#include "cli/completion.hpp"
#include "cli/hidden_commands.hpp"

namespace pystream::cli {
namespace {

constexpr std::size_t kTextWidth = 60;

int complete(const CLI::App& app, const std::vector<std::string>& words) {
  const Candidates found = candidates(app, words);
  std::string text = std::string(to_string(found.paths)) + "\n";
  for (const Candidate& candidate : found.words) {
    // A line is a candidate: a name that is none on one line cannot be typed.
    if (base::printable_line(candidate.word) == candidate.word) {
      text += candidate.word + "\t" + base::shortened_end(base::printable_line(candidate.text), kTextWidth) + "\n";
    }
  }
  print(text);
  return kDone;
}

}  // namespace

/// For the completion scripts of shells (src/cli/shells): the first line says which names of files fit (none, files,
/// folders, plans), each other one is a word, a tab, and what it is.
void add_complete(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("complete", "Print what the last of these words can become")->group("");
  const auto words = std::make_shared<std::vector<std::string>>();
  command->add_option("WORD", *words, "Words behind the program's name");
  command->callback([&app, words, &chosen] { chosen = [&app, words] { return complete(app, *words); }; });
}

}  // namespace pystream::cli
