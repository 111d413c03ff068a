#include <memory>
#include <string>

#include "cli/commands.hpp"
#include "cli/output_file.hpp"

namespace pystream::cli {
namespace {

constexpr std::string_view kExample = R"({
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
)";

int init(const std::string& file) {
  OutputFile out(file, OutputFile::Existing::refused);
  out.write(kExample);
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
                                  "  pystream-coord init hello.json");
  auto file = std::make_shared<std::string>("pipeline.json");
  command.add_option("FILE", *file, "File to write; one that exists is left alone; - is standard output")
      ->capture_default_str()
      ->type_name("");
  command.callback([file, &chosen] { chosen = [file] { return init(*file); }; });
}

}  // namespace pystream::cli
