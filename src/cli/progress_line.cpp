#include "cli/progress_line.hpp"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <algorithm>

#include "base/display_text.hpp"
#include "cli/standard_error.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"
#include "plan/stage_names.hpp"

namespace pystream::cli {

std::string Progress::text(std::span<const profile::KeySummary> stages, std::uint32_t restarts) {
  if (stages.empty()) {
    return {};
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
    line += fmt::format(", bottleneck {}", plan::short_key(slowest->key));
  }
  if (restarts > 0) {
    line += fmt::format(", {} restarts", restarts);
  }
  return line;
}

void ProgressLine::show(const std::string& text) {
  if (!enabled_ || text.empty()) {
    return;
  }
  std::string line = text;
  if (const auto width = terminal_width(STDERR_FILENO)) {
    line = base::shortened_end(line, *width - 1);  // the last column stays free: some terminals wrap behind it
  }
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
