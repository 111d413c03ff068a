#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <map>
#include <thread>

#include "base/codec.hpp"
#include "base/display_text.hpp"
#include "base/number_text.hpp"
#include "base/process_usage.hpp"
#include "cli/commands.hpp"
#include "cli/live.hpp"
#include "cli/style.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"
#include "coord/control_socket.hpp"
#include "plan/stage_names.hpp"

namespace pystream::cli {
namespace {

using namespace std::chrono_literals;

struct TopOptions {
  std::string which;
  bool once = false;
  bool json = false;
  double interval_s = 1;
};

/// A worker that has been with one item for a while is told by the item and its age.
std::string state_of(const coord::LiveWorker& worker) {
  constexpr std::int64_t kAWhileNs = 2'000'000'000;
  return worker.item_age_ns < kAWhileNs
             ? worker.phase
             : worker.item + " for " + base::time_text(static_cast<double>(worker.item_age_ns) * 1e-9);
}

/// A narrow terminal keeps what tells where the time goes.
base::TextTable empty_table() {
  return base::TextTable({{.title = "stage", .cut = base::TextTable::Cut::middle},
                          {.title = "pid", .right = true, .drop = 8},
                          {.title = "state", .cut = base::TextTable::Cut::middle, .drop = 1},
                          {.title = "items/s", .right = true},
                          {.title = "p50", .right = true, .drop = 9},
                          {.title = "p99", .right = true, .drop = 3},
                          {.title = "in link", .right = true, .drop = 4},
                          {.title = "queueing", .right = true, .drop = 5},
                          {.title = "oldest", .right = true, .drop = 10},
                          {.title = "waiting", .right = true, .drop = 6},
                          {.title = "working", .right = true},
                          {.title = "blocked", .right = true, .drop = 2},
                          {.title = "restarts", .right = true, .drop = 7},
                          {.title = "memory", .right = true, .drop = 12},
                          {.title = "cpu", .right = true, .drop = 11}});
}

class TopScreen {
 public:
  explicit TopScreen(coord::LiveStatus first) : before_(std::move(first)) { note_usage(before_); }

  std::string show(const coord::LiveStatus& now) {
    const double seconds = static_cast<double>(now.time_ns - before_.time_ns) * 1e-9;
    base::TextTable table = empty_table();
    const std::map<std::int64_t, base::ProcessUsage> old = usage_;
    note_usage(now);
    std::string last_worker;
    for (const coord::LiveFigures& f : coord::figures_between(before_, now)) {
      const bool first = f.worker != nullptr && f.worker->name != last_worker;
      last_worker = f.worker != nullptr ? f.worker->name : "";
      const auto of_worker = [&](const std::string& text) { return first ? text : std::string(); };
      const std::int64_t pid = f.worker != nullptr ? f.worker->pid : 0;
      const auto then = old.find(pid);
      const double cpu = then != old.end() && seconds > 0 ? (usage_[pid].cpu_s - then->second.cpu_s) / seconds : 0;
      table.add({plan::short_key(f.stage->key), of_worker(pid > 0 ? std::to_string(pid) : "-"),
                 of_worker(f.worker != nullptr ? state_of(*f.worker) : ""), base::number_text(f.did.items_per_s),
                 base::time_text(f.did.p50_s), base::time_text(f.did.p99_s),
                 of_worker(f.stage->role == "source" ? "-" : base::percent_text(f.fill)),
                 of_worker(f.queueing_s > 0 ? base::time_text(f.queueing_s) : "-"),
                 of_worker(f.oldest_s > 0 ? base::time_text(f.oldest_s) : "-"),
                 of_worker(base::percent_text(f.did.waiting)), of_worker(base::percent_text(f.did.working)),
                 of_worker(base::percent_text(f.did.blocked)),
                 of_worker(f.worker != nullptr ? std::to_string(f.worker->restarts) : ""),
                 of_worker(base::size_text(static_cast<std::uint64_t>(usage_[pid].memory_bytes))),
                 of_worker(base::percent_text(cpu))});
    }
    const std::string title = now.name + "  pid " + std::to_string(now.pid) +
                              (now.run > 0 ? "  run " + std::to_string(now.run) : "") + "  " + now.state + "  up " +
                              base::time_text(now.uptime_s);
    before_ = now;
    const base::TextTable::Look look = look_of(STDOUT_FILENO);
    std::string shown = base::printable_line(title);
    if (look.width) {
      shown = base::shortened_middle(shown, *look.width);
    }
    return Style(STDOUT_FILENO).bold(shown) + "\n\n" + table.text(look);
  }

 private:
  void note_usage(const coord::LiveStatus& status) {
    usage_.clear();
    for (const coord::LiveWorker& worker : status.workers) {
      if (worker.pid > 0) {
        usage_[worker.pid] = base::usage_of(worker.pid);
      }
    }
  }

  coord::LiveStatus before_;
  std::map<std::int64_t, base::ProcessUsage> usage_;
};

/// Over what the screen showed before, line by line: clearing all of it first would flicker. What is below the last
/// line of the terminal is left out, and counted there.
std::string in_place(const std::string& text) {
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n'));
  const std::size_t height = terminal_height(STDOUT_FILENO).value_or(lines + 1);
  const std::size_t shown = lines < height ? lines : height - std::min<std::size_t>(height, 2);
  std::string out = "\x1b[H";
  std::size_t line = 0;
  for (auto at = text.begin(); at != text.end() && line < shown; ++at) {
    out += *at == '\n' ? "\x1b[K\n" : std::string(1, *at);
    line += *at == '\n' ? 1 : 0;
  }
  if (shown < lines) {
    out += std::to_string(lines - shown) + " more; they need a higher window\x1b[K";
  }
  return out + "\x1b[J";
}

std::optional<coord::LiveStatus> look_again(std::int64_t pid) {
  const auto answer = coord::ask_coordinator(static_cast<pid_t>(pid), "figures");
  return answer ? std::optional(base::decode<coord::LiveStatus>(*answer)) : std::nullopt;
}

int once(const coord::LiveStatus& first, const TopOptions& options) {
  TopScreen screen(first);
  std::this_thread::sleep_for(std::chrono::duration<double>(options.interval_s));
  const auto now = look_again(first.pid);
  if (!now) {
    throw Error("the pipeline " + first.name + " has ended");
  }
  print(options.json ? coord::to_json(first, *now) + "\n" : screen.show(*now));
  return kDone;
}

int top(const TopOptions& options) {
  const coord::LiveStatus first = find_pipeline(options.which);
  if (options.once) {
    return once(first, options);
  }
  std::signal(SIGINT, [](int) { ::_exit(kDone); });  // also within a long interval, or if nobody reads the output
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  TopScreen screen(first);
  while (true) {
    std::this_thread::sleep_for(std::chrono::duration<double>(options.interval_s));
    const auto now = look_again(first.pid);
    if (!now) {
      print("the pipeline has ended\n");
      return kDone;
    }
    const std::string text = options.json ? coord::to_json(first, *now) + "\n" : screen.show(*now);
    print(terminal && !options.json ? in_place(text) : text);
  }
}

}  // namespace

void add_top(CLI::App& app, Command& chosen) {
  CLI::App& command = add_command(app, "top", "Watch a running pipeline",
                                  "  pystream-coord top\n"
                                  "  pystream-coord top camera --once --json");
  const auto options = std::make_shared<TopOptions>();
  command.add_option("PIPELINE", options->which, "Name or process id of the pipeline; not needed if only one runs");
  command.add_flag("--once", options->once, "Show one interval and end");
  command.add_flag("--json", options->json, "For programs");
  command.add_option("--interval", options->interval_s, "Seconds between two looks")
      ->check(CLI::Range(0.05, 3600.0))
      ->type_name("SECONDS");
  command.callback([options, &chosen] { chosen = [options] { return top(*options); }; });
}

}  // namespace pystream::cli
