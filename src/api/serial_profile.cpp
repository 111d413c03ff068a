#include "api/serial_profile.hpp"

#include "api/coordinator_process.hpp"
#include "api/patience.hpp"
#include "base/blocked_signals.hpp"
#include "base/log.hpp"
#include "base/process_mark.hpp"
#include "coord/inspect.hpp"
#include "coord/run_assembly.hpp"

namespace pystream::api {
namespace {

constexpr plan::WorkerId kRow = 0;  ///< the user's process
constexpr int kNoBell = -1;

std::unique_ptr<coord::ProfilerClient> start_profiler(const plan::Plan& plan, const plan::Topology& topology,
                                                      const shm::Segment& segment, const std::string& wanted_program) {
  coord::RunSpec spec{.name = program_name(), .plan = &plan, .topology = &topology};
  spec.warn = [](const std::string& text) { base::log(LogLevel::warning, text); };
  try {
    spec.worker_program = coord::find_worker_program(wanted_program);
  } catch (const std::exception& error) {
    spec.warn(std::string("no profile is written: ") + error.what());
    return nullptr;
  }
  const base::BlockedSignals blocked;
  auto profiler = coord::Profiling::start(spec, segment).profiler;
  if (profiler != nullptr) {
    profiler->workers_started();
    profiler->set_patience_with_others(kHeldDatabaseMs);
  }
  return profiler;
}

profile::Recorder make_recorder(worker::Monitor& monitor) {
  const shm::WorkerEnd& end = monitor.end();
  return {end.profile.segments.front(), end.stats, 0, static_cast<std::uint32_t>(end.stats.size()), monitor.rows()};
}

}  // namespace

SerialProfile::SerialProfile(const shm::Segment& segment)
    : monitor_(segment.map_worker(kRow), kNoBell), recorder_(make_recorder(monitor_)), mark_(base::process_mark()) {}

SerialProfile::SerialProfile(const plan::Plan& plan, const plan::Topology& topology, const std::string& worker_program)
    : own_segment_(std::make_unique<shm::Segment>(coord::make_segment(plan, topology))),
      profiler_(start_profiler(plan, topology, *own_segment_, worker_program)),
      monitor_(own_segment_->map_worker(kRow), kNoBell),
      recorder_(make_recorder(monitor_)),
      mark_(base::process_mark()) {}

SerialProfile::~SerialProfile() {
  if (mark_ != base::process_mark()) {
    static_cast<void>(profiler_.release());  // in a child of the user's: its profiler process is not to be ended
  }
}

void SerialProfile::add(std::uint32_t stage, const Item::Tag& tag, std::int64_t ended_ns, std::int64_t spent_ns) {
  recorder_.add_items(stage, 1);
  recorder_.add_time(stage, spent_ns);
  recorder_.add_age(stage, ended_ns - tag.entered_ns);
  recorder_.sample(stage, tag.sequence, tag.sequence, ended_ns - spent_ns, spent_ns, 1);
}

void SerialProfile::finish(const Item::Tag& tag, std::uint64_t came_out, std::int64_t now_ns) {
  const std::uint32_t pipeline = monitor_.end().entry.stages;
  const std::int64_t latency = now_ns - tag.entered_ns;
  if (came_out > 0) {
    recorder_.add_items(pipeline, came_out);
    recorder_.add_time(pipeline, latency * static_cast<std::int64_t>(came_out));
    recorder_.sample(pipeline, tag.sequence, tag.sequence, tag.entered_ns, latency, 1);
  }
  monitor_.add_working(latency);
  monitor_.set_last_end(now_ns);
  recorder_.prepare(++done_);
  recorder_.apply(now_ns);
}

void SerialProfile::end() {
  if (profiler_) {
    profiler_->end("done", {}, {});
    profiler_.reset();
  }
}

}  // namespace pystream::api
