#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>

namespace pystream::cli {

/// The help of CLI11, with texts in lines that fit the terminal; 80 columns where there is none.
class HelpFormat final : public CLI::Formatter {
 public:
  HelpFormat();
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_description(const CLI::App* app) const override;
  /// Lines that begin with blanks are commands to copy, and stay whole.
  std::string make_footer(const CLI::App* app) const override;

 private:
  std::string beside_names(const std::string& text) const;
  std::string in_lines(const std::string& text) const;

  std::size_t width_;
};

}  // namespace pystream::cli
