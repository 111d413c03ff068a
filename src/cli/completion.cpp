#include "cli/completion.hpp"

#include <algorithm>
#include <ranges>
#include <set>
#include <utility>

#include "cli/completion_values.hpp"

namespace pystream::cli {
namespace {

bool takes_value(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

bool may_be_repeated(const CLI::Option& option) {
  return option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll;
}

/// What stands in front of the word that is being typed.
class Beginning {
 public:
  explicit Beginning(const CLI::App& app) : command_(&app) {}

  void add(const std::string& word) {
    if (std::exchange(pending_, nullptr) != nullptr) {
      return;  // its value
    }
    if (!only_arguments_ && word == "--") {
      only_arguments_ = true;
    } else if (!only_arguments_ && word.size() > 1 && word.starts_with('-')) {
      add_option(word);
    } else if (const CLI::App* command = arguments_ == 0 ? command_named(word) : nullptr) {
      command_ = command;
    } else {
      add_argument(word);
    }
  }

  const CLI::App& command() const { return *command_; }
  const CLI::Option* option_named(const std::string& name) const { return command_->get_option_no_throw(name); }
  /// The option that waits for its value; nullptr: none.
  const CLI::Option* pending() const { return pending_; }
  bool takes_options() const { return !only_arguments_; }
  bool has_arguments() const { return arguments_ > 0; }
  bool uses(const CLI::Option& option) const { return used_.contains(&option); }
  const std::string& plan() const { return plan_; }

  /// The argument that the next word is; nullptr: none.
  const CLI::Option* next_argument() const {
    std::size_t index = 0;
    for (const CLI::Option* option : command_->get_options()) {
      if (!option->get_positional()) {
        continue;
      }
      if (index == arguments_ || (index < arguments_ && option->get_items_expected_max() > 1)) {
        return option;
      }
      ++index;
    }
    return nullptr;
  }

 private:
  void add_option(const std::string& word) {
    const std::size_t equals = word.find('=');
    const CLI::Option* option = option_named(word.substr(0, equals));
    if (option != nullptr) {
      used_.insert(option);
      pending_ = takes_value(*option) && equals == std::string::npos ? option : nullptr;
    }
  }

  void add_argument(const std::string& word) {
    const CLI::Option* argument = next_argument();
    if (argument != nullptr && argument->get_name() == "PLAN") {
      plan_ = word;
    }
    ++arguments_;
  }

  const CLI::App* command_named(const std::string& name) const {
    const auto commands = command_->get_subcommands([&](const CLI::App* one) { return one->get_name() == name; });
    return commands.empty() ? nullptr : commands.front();
  }

  const CLI::App* command_;
  const CLI::Option* pending_ = nullptr;
  std::set<const CLI::Option*> used_;
  std::size_t arguments_ = 0;
  bool only_arguments_ = false;
  std::string plan_;
};

Candidates values_of(const CLI::Option& option, const Beginning& beginning) {
  Candidates values;
  std::ranges::transform(choices_of(option), std::back_inserter(values.words),
                         [](const std::string& word) { return Candidate{.word = word, .text = {}}; });
  return values.words.empty() ? values_named(value_name(option), beginning.plan()) : values;
}

/// `--name=value`: the values, each with the option's name in front.
Candidates values_behind_name(const std::string& word, const Beginning& beginning) {
  const std::size_t equals = word.find('=');
  const CLI::Option* option = beginning.option_named(word.substr(0, equals));
  if (option == nullptr || !takes_value(*option)) {
    return {};
  }
  Candidates values = values_of(*option, beginning);
  for (Candidate& value : values.words) {
    value.word.insert(0, word.substr(0, equals + 1));
  }
  return values;
}

void add_options(Candidates& out, const Beginning& beginning) {
  for (const CLI::Option* option : beginning.command().get_options()) {
    if (option->get_positional() || (beginning.uses(*option) && !may_be_repeated(*option))) {
      continue;
    }
    const bool long_name = !option->get_lnames().empty();
    out.words.push_back({.word = long_name ? "--" + option->get_lnames().front() : "-" + option->get_snames().front(),
                         .text = option->get_description()});
  }
}

void add_commands(Candidates& out, const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!is_hidden(*command)) {
      out.words.push_back({.word = command->get_name(), .text = command->get_description()});
    }
  }
}

Candidates all_candidates(const Beginning& beginning, const std::string& word) {
  if (const CLI::Option* option = beginning.pending()) {
    return values_of(*option, beginning);
  }
  const bool option = beginning.takes_options() && word.starts_with('-');
  if (option && word.find('=') != std::string::npos) {
    return values_behind_name(word, beginning);
  }
  Candidates out;
  if (option) {
    add_options(out, beginning);
    return out;
  }
  if (const CLI::Option* argument = beginning.next_argument()) {
    out = values_of(*argument, beginning);
  }
  if (!beginning.has_arguments()) {
    add_commands(out, beginning.command());
  }
  if (out.words.empty() && out.paths == PathKind::none && beginning.takes_options()) {
    add_options(out, beginning);  // there is nothing else
  }
  return out;
}

}  // namespace

std::string_view to_string(PathKind kind) {
  switch (kind) {
    case PathKind::none:
      return "none";
    case PathKind::files:
      return "files";
    case PathKind::folders:
      return "folders";
    case PathKind::plans:
      return "plans";
  }
  return "none";
}

Candidates candidates(const CLI::App& app, std::span<const std::string> words) {
  if (words.empty()) {
    return {};
  }
  Beginning beginning(app);
  for (const std::string& word : words.first(words.size() - 1)) {
    beginning.add(word);
  }
  Candidates out = all_candidates(beginning, words.back());
  std::erase_if(out.words, [&](const Candidate& candidate) { return !candidate.word.starts_with(words.back()); });
  return out;
}

/// CLI11 tells the words of CLI::IsMember behind the name of the value: "LEVEL:{error,warning,info}".
std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t begin = type.find('{');
  const std::size_t end = type.find('}');
  return begin < end && end != std::string::npos ? CLI::detail::split(type.substr(begin + 1, end - begin - 1), ',')
                                                 : std::vector<std::string>();
}

std::string value_name(const CLI::Option& option) {
  if (!takes_value(option)) {
    return {};
  }
  const std::string type = option.get_type_name();
  return option.get_positional() ? option.get_name() : type.substr(0, type.find_first_of(":{"));
}

bool is_hidden(const CLI::App& command) {
  return command.get_group().empty();
}

}  // namespace pystream::cli
