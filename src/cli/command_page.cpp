#include "cli/command_page.hpp"

#include <regex>
#include <sstream>
#include <vector>

#include "cli/completion.hpp"
#include "cli/man_page.hpp"
#include "cli/text.hpp"

namespace pystream::cli {
namespace {

constexpr int kSection = 1;

/// "pystream-coord dead-letters list".
std::string full_name(const CLI::App& command) {
  const CLI::App* parent = command.get_parent();
  return (parent == nullptr ? "" : full_name(*parent) + " ") + command.get_name();
}

std::vector<const CLI::App*> shown_commands(const CLI::App& app) {
  std::vector<const CLI::App*> commands;
  for (const CLI::App* command : app.get_subcommands({})) {
    if (!is_hidden(*command)) {
      commands.push_back(command);
    }
  }
  return commands;
}

std::string arguments_of(const CLI::App& command) {
  std::vector<std::string> words{"[OPTION]..."};
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) {
      const std::string name = option->get_name() + (option->get_items_expected_max() > 1 ? "..." : "");
      words.push_back(option->get_required() ? name : "[" + name + "]");
    }
  }
  if (!shown_commands(command).empty()) {
    words.emplace_back("COMMAND [ARGUMENT]...");
  }
  return joined(words, " ");
}

/// "-o, --output".
std::string names_of(const CLI::Option& option) {
  if (option.get_positional()) {
    return option.get_name();
  }
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) {
    names.push_back("-" + name);
  }
  for (const std::string& name : option.get_lnames()) {
    names.push_back("--" + name);
  }
  return joined(names, ", ");
}

/// "LEVEL, one of error, warning, info (default: info)".
std::string value_of(const CLI::Option& option) {
  std::string text = option.get_positional() ? "" : value_name(option);
  if (const std::vector<std::string> choices = choices_of(option); !choices.empty()) {
    text += (text.empty() ? "one of " : ", one of ") + joined(choices, ", ");
  }
  if (!option.get_default_str().empty()) {
    text += (text.empty() ? "(default: " : " (default: ") + option.get_default_str() + ")";
  }
  return text;
}

void add_options(ManPage& page, const CLI::App& command) {
  for (const bool arguments : {true, false}) {
    for (const CLI::Option* option : command.get_options()) {
      if (option->get_positional() == arguments) {
        page.item(names_of(*option), value_of(*option), option->get_description());
      }
    }
  }
}

/// What help says behind the options: parts with an empty line between them. A title ("Examples:", "Exit codes: 0 …")
/// begins a section, "  NAME  text" is an item; other lines with blanks in front stay as they are.
void add_footer(ManPage& page, const std::string& footer) {
  static const std::regex kTitle("([A-Z][a-z]+(?: [a-z]+)?):(?: |$)");
  static const std::regex kItem("  (\\S+)  +(\\S.*)");
  std::istringstream in(footer);
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) {
      page.literal(literal);
      literal.clear();
    }
  };
  for (std::string line; std::getline(in, line);) {
    std::smatch item;
    if (std::regex_match(line, item, kItem)) {
      end_literal();
      page.item(item[1].str(), "", item[2].str());
      continue;
    }
    if (line.starts_with(' ')) {
      literal += line.substr(line.find_first_not_of(' ')) + "\n";
      continue;
    }
    end_literal();
    std::smatch title;
    if (std::regex_search(line, title, kTitle, std::regex_constants::match_continuous)) {
      page.section(title[1].str());
      line = title.suffix();
    }
    if (!line.empty()) {
      page.paragraph(line);
    }
  }
  end_literal();
}

std::string other_pages(const CLI::App& command) {
  std::vector<std::string> pages;
  if (command.get_parent() != nullptr) {
    pages.emplace_back("pystream-coord(1)");
  }
  for (const CLI::App* other :
       command.get_parent() == nullptr ? shown_commands(command) : std::vector<const CLI::App*>()) {
    pages.push_back(page_name(*other) + "(1)");
  }
  pages.insert(pages.end(), {"pystream-worker(1)", "pystream-plan(5)"});
  return joined(pages, ", ");
}

}  // namespace

std::string page_name(const CLI::App& command) {
  return (command.get_parent() == nullptr ? "" : page_name(*command.get_parent()) + "-") + command.get_name();
}

std::string command_page(const CLI::App& command) {
  ManPage page(page_name(command), kSection, command.get_description());
  const std::vector<const CLI::App*> commands = shown_commands(command);
  const bool own_pages = command.get_parent() == nullptr;
  page.section("Synopsis");
  for (const CLI::App* one : own_pages || commands.empty() ? std::vector{&command} : commands) {
    page.synopsis(full_name(*one), arguments_of(*one));
  }
  page.section("Description");
  page.paragraph(command.get_description() + (command.get_description().ends_with('.') ? "" : "."));
  if (!commands.empty()) {
    page.section("Commands");
    for (const CLI::App* one : commands) {
      if (own_pages) {
        page.item(one->get_name(), "", one->get_description());
      } else {
        page.subsection(one->get_name() + ": " + one->get_description());
        add_options(page, *one);
      }
    }
  }
  page.section("Options");
  add_options(page, command);
  add_footer(page, command.get_footer());
  page.see_also(other_pages(command));
  return page.text();
}

}  // namespace pystream::cli
