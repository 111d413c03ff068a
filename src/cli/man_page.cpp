#include "cli/man_page.hpp"

#include <algorithm>
#include <cctype>
#include <sstream>

namespace pystream::cli {
namespace {

/// What groff would change or obey: backslashes, hyphens (which are minus signs in options), quotes.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\':
        out += "\\e";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '"':
        out += "\\(dq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// A line of text, which a dot at its start would make a command.
std::string line_of(std::string_view text) {
  const std::string out = escaped(text);
  return (out.starts_with('.') ? "\\&" : "") + out + "\n";
}

std::string in_capitals(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

}  // namespace

// Without a date: the same sources give the same page, whenever they are built.
ManPage::ManPage(std::string name, int section_number, std::string_view summary) {
  text_ = ".TH " + escaped(in_capitals(name)) + " " + std::to_string(section_number) + " \"\" \"pystream " +
          PYSTREAM_VERSION "\" \"pystream\"\n.SH NAME\n" + escaped(name) + " \\- " + line_of(summary);
}

void ManPage::section(std::string_view title) {
  text_ += ".SH " + line_of(in_capitals(title));
}

void ManPage::subsection(std::string_view title) {
  text_ += ".SS " + line_of(title);
}

void ManPage::paragraph(std::string_view text) {
  begin_paragraph();
  lines(text);
}

void ManPage::literal(std::string_view lines_of_it) {
  begin_paragraph();
  text_ += ".RS 4\n.nf\n";
  lines(lines_of_it);
  text_ += ".fi\n.RE\n";
}

void ManPage::item(std::string_view term, std::string_view details, std::string_view text) {
  text_ += ".TP\n\\fB" + escaped(term) + "\\fR" + (details.empty() ? "" : " " + escaped(details)) + "\n";
  lines(text);
}

void ManPage::synopsis(std::string_view name, std::string_view arguments) {
  begin_paragraph();
  text_ += "\\fB" + escaped(name) + "\\fR " + escaped(arguments) + "\n";
}

void ManPage::see_also(std::string_view pages) {
  section("See also");
  text_ += line_of(pages);
}

/// A section begins with one by itself.
void ManPage::begin_paragraph() {
  const std::size_t last_line = text_.rfind('\n', text_.size() - 2) + 1;
  if (!std::string_view(text_).substr(last_line).starts_with(".S")) {
    text_ += ".PP\n";
  }
}

void ManPage::lines(std::string_view text) {
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) {
    text_ += line.empty() ? ".sp\n" : line_of(line);
  }
}

}  // namespace pystream::cli
