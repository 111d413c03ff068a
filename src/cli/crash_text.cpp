#include "cli/crash_text.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "base/number_text.hpp"
#include "cli/text.hpp"
#include "coord/symbols.hpp"
#include "plan/stage_names.hpp"

namespace pystream::cli {
namespace {

constexpr std::size_t kFrames = 8;
constexpr std::size_t kLines = 20;

std::string items_text(const coord::CrashGroup& group) {
  if (group.items.empty()) {
    return group.first.in_work.empty() ? "" : " on " + group.first.in_work;
  }
  std::string text = group.items.size() == 1 ? " on item " : " on items ";
  for (std::size_t i = 0; i < group.items.size(); ++i) {
    text += (i > 0 ? ", " : "") + std::to_string(group.items[i]);
  }
  return text;
}

std::string stack_text(const std::vector<coord::CrashFrame>& frames, coord::Symbols& symbols) {
  const std::vector<coord::CrashFrame> top(
      frames.begin(), frames.begin() + static_cast<std::ptrdiff_t>(std::min(frames.size(), kFrames)));
  const std::vector<std::string> names = symbols.names_of(top);
  std::string text;
  for (std::size_t i = 0; i < top.size(); ++i) {
    text += fmt::format("  #{} {}{}\n", i, place_of(top[i]), names[i].empty() ? "" : " (" + names[i] + ")");
  }
  return text;
}

std::string group_text(const coord::CrashGroup& group, coord::Symbols& symbols) {
  const coord::CrashReport& crash = group.first;
  std::string text = fmt::format("crash: stage {} {}{}{}{}\n", plan::short_key(crash.stage), how_it_died(crash),
                                 group.count > 1 ? fmt::format(" ({} times)", group.count) : "", items_text(group),
                                 crash.item ? fmt::format(", attempt {}", crash.attempt) : "");
  text += stack_text(crash.frames, symbols);
  text += fmt::format("  {:.2f} s of CPU time, {} of memory at most\n",
                      static_cast<double>((crash.usage.user_time + crash.usage.system_time).count()) * 1e-9,
                      base::size_text(crash.usage.max_rss));
  const std::size_t left_out = crash.last_lines.size() - std::min(crash.last_lines.size(), kLines);
  for (std::size_t i = left_out; i < crash.last_lines.size(); ++i) {
    text += "  | " + crash.last_lines[i] + "\n";
  }
  return text;
}

}  // namespace

std::string crash_text(const coord::CrashLog& log) {
  coord::Symbols symbols;
  std::string text;
  for (const coord::CrashGroup& group : log.groups()) {
    text += group_text(group, symbols);
  }
  if (log.left_out() > 0) {
    text += fmt::format("and {} more crashes of other kinds\n", log.left_out());
  }
  return text;
}

}  // namespace pystream::cli
