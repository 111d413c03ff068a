#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.hpp"
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

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, text] : kExamples) {
    all.push_back(name);
  }
  return all;
}

int init(const std::string& file, const std::string& example) {
  OutputFile out(file, OutputFile::Existing::refused);
  out.write(kExamples.at(example));
  out.commit();
  if (file == "-") {
    return kDone;
  }
  print("wrote " + file + "\n\nNext:\n  pystream-coord validate " + file + "\n  pystream-coord graph " + file +
        "\n  printf 'you\\nworld\\n' | pystream-coord run " + file + "\n");
  return kDone;
}

}  // namespace

void add_init(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(app, "init", "Write a small example plan to start from",
                                  "  pystream-coord init\n"
                                  "  pystream-coord init hello.json\n"
                                  "  pystream-coord init views.json --example branches");
  auto file = std::make_shared<std::string>("pipeline.json");
  auto example = std::make_shared<std::string>(kUsual);
  command.add_option("FILE", *file, "File to write, which must not exist; - is standard output")
      ->capture_default_str()
      ->type_name("");
  command.add_option("--example", *example, "Which example: pipelines in pipelines, replicas, branches, or a tap")
      ->check(CLI::IsMember(names()))
      ->capture_default_str()
      ->type_name("NAME");
  command.callback([file, example, &chosen] { chosen = [file, example] { return init(*file, *example); }; });
}

}  // namespace pystream::cli
