#pragma once

#include <string>
#include <string_view>

namespace pystream::cli {

/// A manual page in the language of man(7), as man-db, groff and mandoc read it. Texts are plain UTF-8.
class ManPage {
 public:
  /// `name` as in "pystream-coord-run", `summary` as `whatis` shows it.
  ManPage(std::string name, int section, std::string_view summary);

  void section(std::string_view title);
  void subsection(std::string_view title);
  void paragraph(std::string_view text);
  /// Lines that stay as they are: commands, plans.
  void literal(std::string_view lines);
  /// What `term` means. `details` follow the term in plain type.
  void item(std::string_view term, std::string_view details, std::string_view text);
  /// "pystream-coord run [OPTION]... PLAN": `name` is bold.
  void synopsis(std::string_view name, std::string_view arguments);
  /// Other pages: "pystream-coord(1)", separated by ", ".
  void see_also(std::string_view pages);

  const std::string& text() const { return text_; }

 private:
  void begin_paragraph();
  void lines(std::string_view text);

  std::string text_;
};

}  // namespace pystream::cli
