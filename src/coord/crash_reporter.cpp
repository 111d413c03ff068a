#include "coord/crash_reporter.hpp"

#include <csignal>
#include <utility>

#include "coord/worker_pages.hpp"
#include "setup/process_limits.hpp"
#include "worker/past_death.hpp"

namespace pystream::coord {

CrashReport CrashReporter::report(plan::WorkerId id, const WorkerView& view, Death death) {
  const WorkerPages& pages = view_.workers[id];
  CrashReport report{.stage = death.stage,
                     .worker = topology_.workers[id].name,
                     .signal = death.status.signal,
                     .code = death.status.code,
                     .hung = death.hung,
                     .cause = cause_of(id, death),
                     .failure = view.failure,
                     .usage = death.status,
                     .last_lines = std::move(death.last_lines)};
  report.in_work = items_in_work(view);
  if (view.number && view.in_flight <= 1) {
    report.item = view.sequence;
    report.attempt = worker::read_past_death(*pages.control, view.segment).attempt_at(*view.number);
  }
  if (is_attached(pages)) {
    read_crash_record(pages.page->crash, report);
  }
  return report;
}

std::string CrashReporter::cause_of(plan::WorkerId id, const Death& death) {
  if (death.status.signal == SIGKILL && !death.hung && !death.killed_at_stop) {
    return oom_.explain_kill();
  }
  const WorkerPages& pages = view_.workers[id];
  return is_attached(pages) ? memory_limit_text(*pages.page, setup::limits_of(topology_, id).limits.memory)
                            : std::string();
}

}  // namespace pystream::coord
