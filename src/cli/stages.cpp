#include <algorithm>
#include <cmath>
#include <memory>

#include "base/display_text.hpp"
#include "base/number_text.hpp"
#include "cli/commands.hpp"
#include "cli/stage_catalog.hpp"
#include "cli/style.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"
#include "plan/json.hpp"
#include "plan/plan_json.hpp"
#include "plan/suggest.hpp"

namespace pystream::cli {
namespace {

constexpr std::size_t kWidest = 100;

/// Of the text on standard output; a narrower terminal than this breaks the lines itself.
std::size_t text_width() {
  constexpr std::size_t kNarrowest = 60;
  return std::clamp(terminal_width(STDOUT_FILENO).value_or(kWidest), kNarrowest, kWidest);
}

struct Options {
  CatalogOptions catalog;
  std::string type;
  bool json = false;
};

std::string list(const std::vector<PluginTypes>& catalog) {
  const Style style(STDOUT_FILENO);
  std::size_t width = 0;
  for (const PluginTypes& plugin : catalog) {
    for (const StageType& type : plugin.types) {
      width = std::max(width, type.name.size());
    }
  }
  std::string out;
  for (const PluginTypes& plugin : catalog) {
    if (plugin.types.empty()) {
      continue;
    }
    out += (out.empty() ? "" : "\n") + style.bold(plugin.plugin.empty() ? "bundled" : plugin.plugin) + "\n";
    for (const StageType& type : plugin.types) {
      const std::string kind(plan::to_string(type.kind));
      out += "  " + type.name + std::string(width - type.name.size() + 2, ' ') +
             style.dim(kind + std::string(8 - kind.size(), ' ')) +
             base::wrapped(type.info.summary, text_width() - width - 12, width + 12) + "\n";
    }
  }
  return out;
}

std::string value_text(const ParamSpec& spec, const ParamValue& value) {
  if (const auto* whole = std::get_if<std::int64_t>(&value); whole != nullptr && *whole >= 0) {
    if (spec.type == ParamType::size) {
      return base::size_text(static_cast<std::uint64_t>(*whole));
    }
    if (spec.type == ParamType::duration) {
      return *whole == 0 ? "0s" : base::duration_text(*whole);
    }
  }
  return plan::dump_json(value, -1);
}

/// A limit of a range: written as the parameter's values are.
std::string limit_text(const ParamSpec& spec, double limit) {
  if (limit == std::floor(limit) && std::fabs(limit) < 9e18) {
    return value_text(spec, ParamValue(static_cast<std::int64_t>(limit)));
  }
  return plan::dump_json(ParamValue(limit), -1);
}

std::string range_text(const ParamSpec& spec) {
  if (!spec.choices.empty()) {
    return "one of " + joined(spec.choices, ", ");
  }
  if (spec.min && spec.max) {
    return "from " + limit_text(spec, *spec.min) + " to " + limit_text(spec, *spec.max);
  }
  if (spec.min) {
    return "at least " + limit_text(spec, *spec.min);
  }
  return spec.max ? "at most " + limit_text(spec, *spec.max) : "";
}

std::string default_text(const ParamSpec& spec) {
  if (!spec.fallback) {
    return "required";
  }
  return std::holds_alternative<std::monostate>(*spec.fallback) ? "may be left out"
                                                                : "default " + value_text(spec, *spec.fallback);
}

std::string param_text(const ParamSpec& spec, const Style& style) {
  const std::string range = range_text(spec);
  return "  " + style.bold(spec.name) + "  " + std::string(to_string(spec.type)) + ", " + default_text(spec) +
         (range.empty() ? "" : ", " + range) + "\n      " + base::wrapped(spec.text, text_width() - 6, 6) + "\n";
}

std::string details(const PluginTypes& plugin, const StageType& type) {
  const Style style(STDOUT_FILENO);
  std::vector<std::vector<std::string>> rows{{"kind", std::string(plan::to_string(type.kind))},
                                             {"plugin", plugin.plugin.empty() ? "bundled" : plugin.plugin}};
  if (type.kind != StageKind::source) {
    rows.push_back({"input", type.info.input.empty() ? "any" : type.info.input});
  }
  if (type.kind != StageKind::sink) {
    rows.push_back({"output", type.info.output.empty() ? "any" : type.info.output});
  }
  if (type.checkpoint_bytes > 0) {
    rows.push_back({"checkpoint", "up to " + base::size_text(type.checkpoint_bytes)});
  }
  std::string out = style.bold(type.name) + "\n";
  if (!type.info.summary.empty()) {
    out += "  " + base::wrapped(type.info.summary, text_width() - 2, 2) + "\n";
  }
  out += "\n" + table(rows, 2) + "\n" + style.bold(type.info.params.empty() ? "No parameters" : "Parameters") + "\n";
  for (const ParamSpec& spec : type.info.params) {
    out += param_text(spec, style);
  }
  return out;
}

[[noreturn]] void refuse_unknown(const std::string& wanted, const std::vector<StageType>& types) {
  std::vector<std::string> names;
  for (const StageType& type : types) {
    names.push_back(type.name);
  }
  const std::string hint = plan::did_you_mean(wanted, names);
  throw BadUsage("there is no stage type \"" + wanted + "\"" + (hint.empty() ? "" : " (" + hint + ")") +
                 "\npystream-coord stages lists all of them");
}

int stages(const Options& options) {
  const std::vector<PluginTypes> catalog = read_stage_catalog(options.catalog);
  std::vector<StageType> types = all_types(catalog);
  if (!options.type.empty()) {
    std::erase_if(types, [&](const StageType& type) { return type.name != options.type; });
    if (types.empty()) {
      refuse_unknown(options.type, all_types(catalog));
    }
  }
  if (options.json) {
    print(plan::write_catalog(types) + "\n");
    return kDone;
  }
  if (options.type.empty()) {
    print(list(catalog));
    return kDone;
  }
  const auto plugin = std::ranges::find_if(catalog, [&](const PluginTypes& candidate) {
    return std::ranges::find(candidate.types, options.type, &StageType::name) != candidate.types.end();
  });
  print(details(*plugin, types.front()));
  return kDone;
}

}  // namespace

void add_stages(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(app, "stages", "List the stage types that plans can use, or explain one",
                                  "  pystream-coord stages\n"
                                  "  pystream-coord stages file_writer\n"
                                  "  pystream-coord stages --plugin ./libmine.so --json");
  auto options = std::make_shared<Options>();
  command.add_option("TYPE", options->type, "Explain this stage type and its parameters")->type_name("");
  add_catalog_options(command, options->catalog);
  command.add_flag("--json", options->json, "Print the result as JSON");
  command.callback([options, &chosen] { chosen = [options] { return stages(*options); }; });
}

}  // namespace pystream::cli
