#include <filesystem>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/new_project.hpp"
#include "cli/output_file.hpp"

namespace pystream::cli {
namespace {

/// Plans to start from, by the shape of their pipelines. Each reads lines.
const std::map<std::string, std::string_view> kExamples{{"nested", R"({
  "mode": "parallel",
  "source": {"type": "lines", "params": {"path": "-"}},
  "stages": [
    {"name": "Greet", "type": "exec", "params": {"command": ["sed", "-u", "s/^/hello, /"]}, "timeout": "10s"},
    {"name": "Polish", "mode": "serial", "stages": [
      {"name": "Capital", "type": "exec", "params": {"command": ["sed", "-u", "s/./\\u&/"]}},
      {"name": "Shout", "type": "exec", "params": {"command": ["sed", "-u", "s/$/!/"]}}
    ]}
  ],
  "sink": {"type": "stdout"},
  "links": {"capacity": {"items": 64}, "overflow": "block"},
  "profiler": {"enabled": true}
}
)"},
                                                        {"replicas", R"({
  "source": {"type": "lines", "params": {"path": "-"}},
  "stages": [
    {"name": "Slow", "type": "wait", "params": {"time": "100ms"}, "replicas": 4}
  ],
  "sink": {"type": "stdout"}
}
)"},
                                                        {"branches", R"({
  "source": {"type": "lines", "params": {"path": "-"}},
  "stages": [
    {"name": "Views", "mode": "branch", "join": "zip", "stages": [
      {"name": "Upper", "type": "exec", "params": {"command": ["sed", "-u", "s/.*/\\U&/"]}},
      {"name": "Length", "type": "exec", "params": {"command": ["awk", "{print length($0); fflush()}"]}}
    ]},
    {"name": "Table", "type": "columns"}
  ],
  "sink": {"type": "stdout"}
}
)"},
                                                        {"tap", R"({
  "source": {"type": "lines", "params": {"path": "-"}},
  "stages": [
    {"name": "Aside", "mode": "branch", "join": "none", "stages": [
      {"name": "Log", "type": "file_writer", "params": {"path": "lines.log"}}
    ]},
    {"name": "Greet", "type": "exec", "params": {"command": ["sed", "-u", "s/^/hello, /"]}}
  ],
  "sink": {"type": "stdout"}
}
)"}};
constexpr const char* kUsual = "nested";
constexpr const char* kUsualLanguage = "cpp";

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, text] : kExamples) {
    all.push_back(name);
  }
  return all;
}

struct InitOptions {
  std::string path = "pipeline.json";
  std::string example;   ///< empty: the usual one
  std::string language;  ///< empty: the usual one
};

/// Else it is the folder of a project.
bool is_plan(const std::filesystem::path& path) {
  std::error_code error;
  const bool exists = std::filesystem::exists(path, error);
  return path == "-" || path.extension() == ".json" || (exists && !std::filesystem::is_directory(path, error));
}

int write_plan(const InitOptions& options) {
  const std::string& file = options.path;
  OutputFile out(file, OutputFile::Existing::refused);
  out.write(kExamples.at(options.example.empty() ? kUsual : options.example));
  out.commit();
  if (file == "-") {
    return kDone;
  }
  print("wrote " + file + "\n\nNext:\n  pystream-coord validate " + file + "\n  pystream-coord graph " + file +
        "\n  printf 'you\\nworld\\n' | pystream-coord run " + file + "\n");
  return kDone;
}

int make_project(const InitOptions& options) {
  const std::string language = options.language.empty() ? kUsualLanguage : options.language;
  write_project(options.path, language);
  std::string next = "  cd " + options.path + "\n";
  std::istringstream commands(project_commands(language));
  for (std::string line; std::getline(commands, line);) {
    next += "  " + line + "\n";
  }
  print("wrote the project " + options.path + "\n\nNext:\n" + next);
  return kDone;
}

int init(const InitOptions& options) {
  const bool plan = is_plan(options.path);
  if (plan && !options.language.empty()) {
    throw BadUsage("--language is of a project, and " + options.path + " is a plan; name a folder");
  }
  if (!plan && !options.example.empty()) {
    throw BadUsage("--example is of a plan, and " + options.path + " is a folder; name a file that ends in .json");
  }
  return plan ? write_plan(options) : make_project(options);
}

}  // namespace

void add_init(CLI::App& app, Command& chosen) {
  CLI::App& command =
      add_command(app, "init", "Write an example plan, or a project with a stage of your own",
                  "  pystream-coord init\n"
                  "  pystream-coord init views.json --example branches\n"
                  "  pystream-coord init camera\n"
                  "  pystream-coord init camera --language python\n"
                  "\nA project is a stage, its test, a plan, and for C++ a meson.build: it builds, tests "
                  "and runs at once. README.md in it shows the commands.");
  const auto options = std::make_shared<InitOptions>();
  command
      .add_option(
          "PATH", options->path,
          "A file that ends in .json: a plan (- is standard output). Else a folder: a project. Files that exist "
          "are not replaced")
      ->capture_default_str()
      ->type_name("");
  command
      .add_option(
          "--example", options->example,
          std::string("Which plan: pipelines in pipelines, replicas, branches, or a tap (default: ") + kUsual + ")")
      ->check(CLI::IsMember(names()))
      ->type_name("NAME");
  command
      .add_option("--language", options->language,
                  std::string("In which language the project's stage is: cpp, python or shell (default: ") +
                      kUsualLanguage + ")")
      ->check(CLI::IsMember({"cpp", "python", "shell"}))
      ->type_name("NAME");
  command.callback([options, &chosen] { chosen = [options] { return init(*options); }; });
}

}  // namespace pystream::cli
