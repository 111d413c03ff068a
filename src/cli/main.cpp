#include "cli/commands.hpp"
#include "cli/hidden_commands.hpp"

int main(int argc, char** argv) {
  using namespace pystream::cli;
  CLI::App app{"Streaming pipelines of worker processes, described by a plan file."};
  app.footer(
      "\nExit codes: 0 done, 1 failed, 2 bad usage or bad plan, 3 done but items were given up (dead letters) or data "
      "was lost, 75 paused (one part of a plan over several hosts), 130 stopped at once.\n"
      "\nEnvironment:\n"
      "  PYSTREAM_PLUGIN_PATH  folders with plugins, separated by colons; first\n"
      "  PYSTREAM_WORKER       the worker program, instead of pystream-worker\n"
      "  PYSTREAM_PROFILES     the folder of the profile database\n"
      "\nFirst steps:\n"
      "  pystream-coord init hello.json\n"
      "  pystream-coord validate hello.json\n"
      "  printf 'you\\nworld\\n' | pystream-coord run hello.json\n"
      "  pystream-coord stages");
  Command chosen;
  for (const auto add : {add_init,    add_run,  add_chaos, add_validate, add_graph,  add_stages,       add_schema,
                         add_profile, add_diff, add_trace, add_report,   add_advise, add_dead_letters, add_list,
                         add_runs,    add_top,  add_serve, add_stop,     add_why,    add_complete,     add_manual}) {
    add(app, chosen);
  }
  return run_app(app, chosen, argc, argv);
}
