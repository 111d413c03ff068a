#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "base/unique_fd.hpp"
#include "cli/commands.hpp"

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

void write_new(const std::string& file, std::string_view text) {
  const base::UniqueFd opened(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!opened && errno == EEXIST) {
    throw BadUsage(file + " exists already and is left as it is; name another file");
  }
  if (!opened || ::write(opened.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    const std::string why = std::strerror(errno);
    if (opened) {
      ::unlink(file.c_str());
    }
    throw Error("cannot write " + file + ": " + why);
  }
}

int init(const std::string& file) {
  write_new(file, kExample);
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
  command.add_option("FILE", *file, "File to write; one that exists is left alone")
      ->capture_default_str()
      ->type_name("");
  command.callback([file, &chosen] { chosen = [file] { return init(*file); }; });
}

}  // namespace pystream::cli
