#include <fcntl.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <pystream/worker_main.hpp>
#include <string>

#include "base/display_text.hpp"
#include "base/process_start.hpp"
#include "base/standard_output.hpp"
#include "base/system_error.hpp"
#include "plan/plan_json.hpp"
#include "setup/plugins.hpp"
#include "setup/worker_usage.hpp"
#include "shm/segment.hpp"
#include "store/letter_desk.hpp"
#include "store/letter_list.hpp"
#include "store/profiler_process.hpp"
#include "worker/worker_process.hpp"

namespace pystream {
namespace {

/// Descriptors that a coordinator hands to a worker program.
constexpr int kSegmentFd = 3;
constexpr int kBellFd = 4;     ///< of a profiler process: its channel to the coordinator
constexpr int kOutputFd = 5;   ///< of a worker whose sink shares it with stages: the real standard output
constexpr int kLettersFd = 3;  ///< of a keeper of dead letters: its channel to a worker

constexpr std::size_t kHelpWidth = 80;

bool print(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

int describe(int count, char** plugins) {
  base::reset_ignored_signals();
  setup::load_plugin(setup::find_plugin(setup::kCorePlugin));
  for (int i = 0; i < count; ++i) {
    setup::load_plugin(setup::find_plugin(plugins[i]));
  }
  const std::string text = plan::write_catalog(setup::catalog());
  return print(text) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int help() {
  std::string text = "Usage: pystream-worker " + std::string(setup::kWorkerDescribe) + "\n\n" +
                     base::wrapped(setup::kWorkerText, kHelpWidth, 0) + "\n\nEnvironment:\n";
  for (const auto& [name, meaning] : setup::kWorkerEnvironment) {
    text += "  " + std::string(name) + "\n    " + base::wrapped(meaning, kHelpWidth - 4, 4) + "\n";
  }
  return print(text) ? EXIT_SUCCESS : EXIT_FAILURE;
}

std::optional<long> parse_number(const char* text) {
  long number = 0;
  const char* end = text + std::strlen(text);
  const auto [at, error] = std::from_chars(text, end, number);
  return error == std::errc() && at == end ? std::optional(number) : std::nullopt;
}

plan::Plan read_plan(std::string_view text) {
  const auto plugins = plan::read_plugin_names(text);
  for (const std::string& plugin : std::get<std::vector<std::string>>(plugins)) {
    setup::load_plugin(setup::find_plugin(plugin));
  }
  auto read = plan::read_written_plan(text, setup::catalog());
  if (const auto* faults = std::get_if<std::vector<plan::PlanFault>>(&read)) {
    throw Error("cannot read the coordinator's plan: " + plan::to_string(faults->front(), "plan") +
                "; use a worker program of the same version");
  }
  return std::get<plan::Plan>(std::move(read));
}

/// What stages start must not keep the pipeline alive.
void keep_from_programs(int fd) {
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    base::throw_errno("descriptor " + std::to_string(fd) + " is not the coordinator's");
  }
}

int work(plan::WorkerId id, int parent, bool has_output) {
  worker::adopt_worker_signals(parent);
  keep_from_programs(kSegmentFd);
  keep_from_programs(kBellFd);
  if (has_output) {
    keep_from_programs(kOutputFd);
    base::set_standard_output(kOutputFd);
  }
  base::UniqueFd segment_fd(kSegmentFd);
  base::UniqueFd bell(kBellFd);
  std::string text;
  {
    base::UniqueFd copy(::fcntl(segment_fd.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) {
      base::throw_errno("cannot read the plan");
    }
    text = shm::Segment::attach(std::move(copy)).plan();
  }
  setup::load_plugin(setup::find_plugin(setup::kCorePlugin));
  const plan::Plan plan = read_plan(text);
  const plan::Topology topology = plan::make_topology(plan);
  return worker::run_worker({.id = id,
                             .segment = std::move(segment_fd),
                             .bell = std::move(bell),
                             .topology = &topology,
                             .make = [&](plan::StageId id) {
                               const plan::StageSpec& spec = *topology.stages.at(id).node->stage;
                               return find_stage_type(spec.type)->make(spec.params);
                             }});
}

}  // namespace

int worker_main(int argc, char** argv) {
  if (!base::fill_standard_descriptors()) {
    return EXIT_FAILURE;  // nowhere to say so
  }
  try {
    if (!registration_errors().empty()) {
      throw Error("the stages of this worker program: " + registration_errors().front());
    }
    if (argc >= 2 && std::strcmp(argv[1], "describe") == 0) {
      return describe(argc - 2, argv + 2);
    }
    if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
      return help();
    }
    if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
      return print("pystream-worker " PYSTREAM_VERSION "\n") ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (argc == 2 && std::strcmp(argv[1], "profiler") == 0) {
      return store::run_profiler_process(base::UniqueFd(kBellFd), base::UniqueFd(kSegmentFd));
    }
    if (argc == 2 && std::strcmp(argv[1], "letters") == 0) {
      return store::run_letter_desk(base::UniqueFd(kLettersFd));
    }
    if (argc == 2 && std::strcmp(argv[1], "list-letters") == 0) {
      return store::run_letter_list();
    }
    // The word behind the parent's pid is the worker's name, for people who look at `ps`.
    const bool has_output = argc == 6 && std::strcmp(argv[5], "output") == 0;
    if ((argc == 5 || has_output) && std::strcmp(argv[1], "work") == 0) {
      const auto id = parse_number(argv[2]);
      const auto parent = parse_number(argv[3]);
      if (id && parent) {
        return work(static_cast<plan::WorkerId>(*id), static_cast<int>(*parent), has_output);
      }
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
  std::fprintf(stderr,
               "This program is started by pystream-coord. By hand: %s describe [PLUGIN ...] prints the stage types.\n",
               argc > 0 ? argv[0] : "pystream-worker");
  return 2;
}

}  // namespace pystream
