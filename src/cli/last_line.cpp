#include "cli/last_line.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/number_text.hpp"
#include "cli/frame.hpp"
#include "cli/text.hpp"
#include "plan/stage_names.hpp"

namespace pystream::cli {
namespace {

/// What did not arrive, and why: "2 became dead letters, 1 was skipped".
std::vector<std::string> missing(const RunEnd& end) {
  const coord::Audit& audit = end.audit;
  const auto counted = [](std::uint64_t count, const char* one, const char* many) {
    return fmt::format("{} {}", count, count == 1 ? one : many);
  };
  std::vector<std::string> parts;
  if (audit.letters > 0) {
    parts.push_back(counted(audit.letters, "became a dead letter", "became dead letters"));
  }
  if (audit.given_up > audit.letters) {
    parts.push_back(counted(audit.given_up - audit.letters, "was skipped", "were skipped") + " (on_error, on_crash)");
  }
  if (audit.dropped > 0) {
    parts.push_back(counted(audit.dropped, "was dropped", "were dropped") + " by full links (overflow)");
  }
  if (audit.losses > 0) {
    parts.push_back(counted(audit.losses, "loss", "losses") + " of data outside (see \"lost:\" above)");
  }
  if (end.outcome != coord::Outcome::done && audit.lost > 0) {
    parts.push_back("the rest did not get through");
  } else if (audit.lost > 0) {
    parts.push_back(counted(audit.lost, "was lost", "were lost") + " inside the pipeline");
  }
  if (end.outcome == coord::Outcome::done && audit.doubled > 0) {
    parts.push_back(counted(audit.doubled, "was processed twice", "were processed twice"));
  }
  if (end.outcome == coord::Outcome::done && audit.refused > 0) {
    parts.push_back(counted(audit.refused, "worker", "workers") + " found a damaged record or one out of order");
  }
  return parts;
}

/// "gave up 7 items: 4 in front of Slow, 3 in front of Sink".
std::string given_up(const coord::Audit& audit) {
  std::uint64_t all = 0;
  std::vector<std::string> places;
  for (const coord::Audit::Left& left : audit.left) {
    all += left.items;
    places.push_back(fmt::format("{} in front of {}", left.items, plan::short_key(left.stage)));
  }
  return all > 0 ? "gave up " + base::count_text(all, "item") + ": " + joined(places, ", ") : "gave up no item";
}

constexpr const char* kPausedText = "paused; the same command goes on with the run";

std::string stopped(const RunEnd& end) {
  if (!end.drain_timeout) {
    return "stopped at once; items inside the pipeline were not finished; ";
  }
  return "stopped, as the drain took longer than " + base::duration_text(end.drain_timeout->count()) +
         " (--drain-timeout); " + given_up(end.audit) + "; ";
}

}  // namespace

std::string last_line(const RunEnd& end) {
  const std::vector<std::string> parts = missing(end);
  const bool done = end.outcome == coord::Outcome::done;
  if (done && parts.empty()) {
    return end.paused ? kPausedText : std::string();
  }
  std::string line = fmt::format("{} in, {} out", base::count_text(end.audit.in, "item"), end.audit.out);
  if (!parts.empty()) {
    line += ": " + joined(parts, ", ");
  }
  if (end.audit.letters > 0) {
    line += "; to see the dead letters: " + end.letters_command;
  }
  switch (end.outcome) {
    case coord::Outcome::done:
      return end.paused ? kPausedText + std::string("; ") + line : line;
    case coord::Outcome::interrupted:
      return stopped(end) + line;
    case coord::Outcome::failed:
      break;
  }
  return "failed: " + end.failure + "; " + line;
}

int exit_code(const RunEnd& end) {
  switch (end.outcome) {
    case coord::Outcome::failed:
      return kFailed;
    case coord::Outcome::interrupted:
      return kInterrupted;
    case coord::Outcome::done:
      break;
  }
  if (end.audit.lost + end.audit.doubled + end.audit.refused > 0) {
    return kFailed;  // no plan asks for that
  }
  if (end.paused) {
    return kPaused;
  }
  const bool given_up = end.audit.letters > 0 && !end.accept_dead_letters;
  return given_up || end.audit.losses > 0 ? kIncomplete : kDone;
}

}  // namespace pystream::cli
