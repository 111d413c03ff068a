#include "worker/worker_process.hpp"

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <new>
#include <optional>

#include "base/draining.hpp"
#include "base/exception_text.hpp"
#include "base/kill_point.hpp"
#include "base/losses.hpp"
#include "base/process_start.hpp"
#include "setup/item_key.hpp"
#include "setup/link_names.hpp"
#include "store/row_writer.hpp"
#include "worker/crash_handler.hpp"
#include "worker/dead_letter_store.hpp"
#include "worker/last_end.hpp"
#include "worker/letter_client.hpp"
#include "worker/limits.hpp"
#include "worker/process_name.hpp"
#include "worker/row.hpp"

namespace pystream::worker {
namespace {

constexpr std::int64_t kSpinNs = 5'000;

/// Without a store for dead letters the item must not be lost: the pipeline ends instead.
class NoDeadLetters final : public DeadLetters {
 public:
  void store(const Letter& letter) override {
    throw StageFailed(letter.sequence,
                      letter.reason + " (the item does not become a dead letter: this run keeps none)");
  }
};

class Builder {
 public:
  Builder(const WorkerStart& start, const shm::Segment& segment, Monitor& monitor, DeadLetters& letters,
          const setup::ProcessLimits& limits)
      : start_(start),
        worker_(start.topology->workers.at(start.id)),
        segment_(segment),
        monitor_(monitor),
        letters_(letters),
        limits_(limits) {}

  Row build() {
    std::vector<std::unique_ptr<SegmentRunner>> runners;
    for (std::size_t i = 0; i < worker_.segments.size(); ++i) {
      runners.push_back(std::make_unique<SegmentRunner>(parts_of(i), monitor_, letters_));
    }
    return Row(std::move(runners));
  }

 private:
  SegmentParts parts_of(std::size_t index) {
    const plan::Segment& segment = worker_.segments[index];
    SegmentParts parts;
    parts.place = {.first = index == 0, .last = index + 1 == worker_.segments.size()};
    parts.limits = &limits_;
    parts.index = static_cast<std::uint32_t>(index);
    parts.first_stage = next_stage_;
    parts.spin_ns = spin_ns(start_.topology->workers.size());
    for (const plan::StageId id : segment.stages) {
      const plan::PlacedStage& placed = start_.topology->stages.at(id);
      monitor_.set_stage(next_stage_++);
      parts.stages.push_back(start_.make(id));
      parts.faults.push_back(placed.node->stage->faults);
    }
    const plan::SegmentRef here{.worker = start_.id, .index = parts.index};
    for (const plan::LinkId link : segment.inputs) {
      parts.inputs.push_back(segment_.map_consumer(link, start_.topology->consumer_index(link, here)));
    }
    if (segment.followed) {
      const auto follower = static_cast<std::uint32_t>(start_.topology->links[*segment.followed].consumers.size());
      parts.inputs.push_back(segment_.map_consumer(*segment.followed, follower));
    }
    parts.collect = segment.collect;
    const plan::LinkId output = segment.outputs.front();
    parts.output = segment_.map_producer(output);
    parts.key_of = setup::key_of(start_.topology->links[output]);
    const shm::WorkerEnd& end = monitor_.end();
    parts.profile = end.profile.segments.at(index);
    parts.exits = start_.topology->leaves_pipeline(segment);
    if (end.checkpoints != nullptr) {
      parts.checkpoint_bytes = end.entry.checkpoint_bytes;
      parts.checkpoints = end.checkpoints + 2 * index * end.entry.checkpoint_bytes;
    }
    return parts;
  }

  const WorkerStart& start_;
  const plan::WorkerSpec& worker_;
  const shm::Segment& segment_;
  Monitor& monitor_;
  DeadLetters& letters_;
  const setup::ProcessLimits& limits_;
  std::uint32_t next_stage_ = 0;
};

std::unique_ptr<DeadLetters> make_dead_letters(const WorkerStart& start, Monitor& monitor) {
  if (monitor.end().config->path_bytes == 0) {
    return std::make_unique<NoDeadLetters>();
  }
  std::vector<std::string> keys;
  for (const plan::Segment& segment : start.topology->workers.at(start.id).segments) {
    for (const plan::StageId id : segment.stages) {
      keys.push_back(start.topology->stages.at(id).key);
    }
  }
  if (start.opens_database) {
    return std::make_unique<DeadLetterStore>(monitor, std::move(keys));
  }
  return std::make_unique<LetterClient>(start.helper_program, monitor, std::move(keys));
}

int run_attached(const WorkerStart& start, const shm::Segment& segment, Monitor& monitor) {
  shm::FailureKind stage_of_life = shm::FailureKind::start;
  setup::ProcessLimits limits;
  try {
    limits = setup::limits_of(*start.topology, start.id);
    apply_limits(limits);
    const shm::WorkerEnd& end = monitor.end();
    if (end.control->only_ends.load(std::memory_order_relaxed) != 0) {
      const plan::Segment& last = start.topology->workers.at(start.id).segments.back();
      end_last_output(segment.map_producer(last.outputs.front()), monitor);
      return EXIT_SUCCESS;
    }
    base::keep_in(end.page->losses, end.page->surviving);
    std::optional<store::RowWriter> rows;
    if (end.config->enabled != 0 && start.opens_database) {
      rows.emplace(*end.config, std::vector<store::RowRing>{{.worker = start.id, .area = &end.profile}});
    }
    const std::unique_ptr<DeadLetters> letters = make_dead_letters(start, monitor);
    Row row = Builder(start, segment, monitor, *letters, limits).build();
    apply_memory_limit(limits);
    stage_of_life = shm::FailureKind::item;
    note_loaded_modules();  // stages may have loaded some
    monitor.announce(shm::Phase::working);
    try {
      row.run();
    } catch (const Stopped&) {
      // The item in work is given up; the stages are still cleaned up.
    }
    monitor.end_items();
    monitor.announce(shm::Phase::cleaning);  // its deadline begins
    row.cleanup();
    monitor.announce(shm::Phase::finished);
    return EXIT_SUCCESS;
  } catch (const shm::LinkCorrupt& error) {
    monitor.fail(shm::FailureKind::link, shm::kInvalidPosition, setup::named(*start.topology, error).what());
  } catch (const StartFailed& error) {
    monitor.fail(shm::FailureKind::start, shm::kInvalidPosition, error.what());
  } catch (const StageFailed& error) {
    monitor.fail(shm::FailureKind::item, error.sequence(), error.what());
  } catch (const std::bad_alloc&) {
    if (limits.memory()) {
      crash_out_of_memory(limits, monitor);
    }
    monitor.fail(stage_of_life, shm::kInvalidPosition, "no memory");
  } catch (...) {
    monitor.fail(stage_of_life, shm::kInvalidPosition, base::exception_text());
  }
  return EXIT_FAILURE;
}

}  // namespace

namespace {

void drain_at_sigterm(int flags) {
  struct sigaction action {};
  action.sa_handler = [](int) { base::set_draining(); };
  action.sa_flags = flags;
  ::sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

std::int64_t spin_ns(std::size_t processes) {
  cpu_set_t cpus;
  const bool known = ::sched_getaffinity(0, sizeof(cpus), &cpus) == 0;
  return known && processes <= static_cast<std::size_t>(CPU_COUNT(&cpus)) ? kSpinNs : 0;
}

void adopt_worker_signals(int parent) {
  base::reset_ignored_signals();
  // What a terminal or a group is sent is the coordinator's to act on, also in what the stages start.
  for (const int ignored : {SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) {
    std::signal(ignored, SIG_IGN);
  }
  for (const int harmless : {SIGQUIT, SIGPIPE, SIGXFSZ}) {
    base::make_harmless(harmless);
  }
  drain_at_sigterm(0);
  base::unblock_all_signals();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {
    ::_exit(EXIT_FAILURE);  // the parent died before the line above
  }
}

int run_worker(WorkerStart start) {
  base::kill_points_are_for(start.id);
  take_process_name(start.topology->workers.at(start.id).name);
  if (!start.topology->has_source(start.id)) {
    // The coordinator does not signal this worker. A signal to the whole process group reaches it, and its read() and
    // write() are to continue; poll() and sleeps fail with EINTR in spite of it.
    drain_at_sigterm(SA_RESTART);
  }
  const shm::Segment segment = shm::Segment::attach(std::move(start.segment));
  Monitor monitor(segment.map_worker(start.id), start.bell.get());
  static_assert(static_cast<std::uint32_t>(shm::Command::run) == 0);
  const base::DrainCommand drain_command(monitor.control().command, monitor.control().cut_short);
  const CrashHandler crash_handler(*monitor.end().page);
  return run_attached(start, segment, monitor);
}

}  // namespace pystream::worker
