#include "cli/progress_line.hpp"

#include <spdlog/fmt/fmt.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "cli/standard_error.hpp"
#include "cli/summary_table.hpp"

namespace pystream::cli {
namespace {

constexpr std::size_t kNarrowTerminal = 40;

std::size_t terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return std::max<std::size_t>(known ? size.ws_col : 80, kNarrowTerminal);
}

}  // namespace

void ProgressLine::show(std::span<const coord::StageSummary> stages, std::uint32_t restarts) {
  if (!enabled_ || stages.empty()) {
    return;
  }
  const std::uint64_t items = stages.back().items;
  const auto time = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(time - last_time_).count();
  const double rate = seconds > 0 ? static_cast<double>(items - last_items_) / seconds : 0;
  last_items_ = items;
  last_time_ = time;
  std::string line = fmt::format("{} items, {} items/s", items, pretty_count(rate));
  const auto slowest = std::find_if(stages.begin(), stages.end(), [](const auto& stage) { return stage.bottleneck; });
  if (slowest != stages.end()) {
    line += fmt::format(", bottleneck {}", slowest->key.substr(slowest->key.rfind("__") + 2));
  }
  if (restarts > 0) {
    line += fmt::format(", {} restarts", restarts);
  }
  line.resize(std::min(line.size(), terminal_width() - 1));
  show_if_read("\r\x1b[K" + line);
  visible_ = true;
}

void ProgressLine::clear() {
  if (visible_) {
    cli::show("\r\x1b[K");
    visible_ = false;
  }
}

}  // namespace pystream::cli
