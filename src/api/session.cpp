#include "api/session.hpp"

#include <poll.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <utility>

#include "api/patience.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/pidfd.hpp"
#include "base/process_start.hpp"
#include "base/system_error.hpp"
#include "coord/audit.hpp"
#include "coord/file_claims.hpp"
#include "coord/inspect.hpp"
#include "coord/run_assembly.hpp"
#include "plan/plan_json.hpp"
#include "plan/replicas.hpp"
#include "worker/letter_client.hpp"

namespace pystream::api {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

constexpr nanoseconds kStopPatience = 30s;    ///< beyond the workers' grace: the profiler process writes what is left
constexpr nanoseconds kAnswerPatience = 8s;   ///< it may wait for the profiles just now
constexpr nanoseconds kProfilePatience = 8s;  ///< the coordinator waits five seconds for its profiler process
constexpr nanoseconds kDeathPatience = 2s;

bool readable(int fd, nanoseconds patience) {
  const std::int64_t until = base::now_ns() + patience.count();
  for (;;) {
    pollfd what{.fd = fd, .events = POLLIN, .revents = 0};
    const std::int64_t left_ms = std::max<std::int64_t>((until - base::now_ns() + 999'999) / 1'000'000, 0);
    const int ready = ::poll(&what, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 3'600'000)));
    if (ready > 0) {
      return true;
    }
    if (ready == 0 && base::now_ns() >= until) {
      return false;
    }
  }
}

/// Every stage in a worker of its own has this long to be made.
nanoseconds longest_start(const plan::Topology& topology) {
  nanoseconds longest = plan::FaultPolicy{}.start_timeout;
  for (const plan::PlacedStage& placed : topology.stages) {
    longest = std::max(longest, placed.node->stage->faults.start_timeout);
  }
  return longest;
}

/// Where the start method does not need it, a pipeline runs without it: with neither profile nor dead letters.
std::filesystem::path worker_program(const ParallelOptions& options, bool with_profile) {
  try {
    return coord::find_worker_program(options.worker_program);
  } catch (const Error& error) {
    if (options.start_method == StartMethod::spawn) {
      throw;
    }
    base::log(LogLevel::warning,
              std::string(with_profile ? "no profile is written, and " : "") +
                  "the pipeline ends at the first item that a stage fails on, because no dead letters "
                  "can be kept: " +
                  error.what());
    return {};
  }
}

}  // namespace

Session::Session(PipelineTree& tree, const ParallelOptions& options, const PipelineOptions& pipeline)
    : plan_(make_plan(tree, options, pipeline)),
      topology_(plan::make_topology(plan_)),
      stop_grace_(options.stop_grace),
      lines_(options.worker_lines) {
  if (tree.mode != plan::Mode::serial) {
    for (const plan::LinkId exit : topology_.read_by_user()) {
      topology_.links[exit].options.overflow =
          options.results == Results::newest ? plan::Overflow::drop_oldest : plan::Overflow::block;
    }
  }
  if (const auto link = plan::shared_link_that_drops_oldest(topology_)) {
    throw PipelineInitiationError("link " + topology_.links[*link].name + ": found Overflow::drop_oldest, expected " +
                                  plan::kSharedLinkOverflow);
  }
  try {
    if (!base::fill_standard_descriptors()) {
      base::throw_errno("cannot open /dev/null in place of a standard descriptor that is closed");
    }
    claim_files(tree);
    create_segment(tree, options);
    start(tree, options);
    wait_until_ready(patience(longest_start(topology_)) + 5s);
  } catch (const PipelineInitiationError&) {
    stop();
    throw;
  } catch (const PipelineTerminated& error) {
    stop();
    throw PipelineInitiationError(std::string("the pipeline did not start: ") + error.what());
  } catch (const std::exception& error) {
    stop();
    throw PipelineInitiationError(std::string("the pipeline did not start: ") + error.what());
  }
}

Session::~Session() {
  stop();
}

/// As pystream-coord does it for a plan: no output is an input, and no two runs write one file.
void Session::claim_files(const PipelineTree& tree) {
  const std::vector<coord::FileClaim> files = coord::file_claims(topology_, tree.types);
  if (const auto faults = coord::outputs_that_are_inputs(files, true); !faults.empty()) {
    throw PipelineInitiationError(plan::to_string(faults.front(), "the pipeline"));
  }
  outputs_.emplace(files, [this](const std::string& text) { news_.add(text); });
}

void Session::create_segment(PipelineTree& tree, const ParallelOptions& options) {
  std::string text = options.start_method == StartMethod::spawn ? plan::write_plan(plan_) : std::string();
  const std::vector<std::uint64_t> of_stages = checkpoint_bytes(tree);
  std::vector<std::uint64_t> state_bytes;
  for (const plan::PlacedStage& placed : topology_.stages) {
    state_bytes.push_back(of_stages.at(placed.in_plan));
  }
  segment_.emplace(coord::make_segment(plan_, topology_, state_bytes, std::move(text)));
  segment_mark_ = base::PrivateMark(segment_->fd());
  view_ = segment_->map_supervisor();
}

void Session::start(PipelineTree& tree, const ParallelOptions& options) {
  CoordinatorStart start{.plan = &plan_,
                         .topology = &topology_,
                         .segment = segment_->fd(),
                         .method = options.start_method,
                         .make = {},
                         .worker_program = {}};
  start.worker_program = worker_program_ = worker_program(options, plan_.profiler.enabled);
  start.hooks = options.fork_hooks;
  start.stop_grace = options.stop_grace;
  start.sends_lines = static_cast<bool>(options.worker_lines);
  if (options.start_method == StartMethod::fork) {
    start.make = [this, all = stages(tree)](plan::StageId id) {
      const plan::PlacedStage& placed = topology_.stages.at(id);
      return make_adapter(*all.at(placed.in_plan).parts, placed.node->stage->params);
    };
  }
  coordinator_.emplace(start_coordinator(start));
}

bool Session::wait_for_channel(nanoseconds patience) const {
  return readable(coordinator_->channel.fd(), patience);
}

bool Session::wait_for_end(nanoseconds patience) const {
  return readable(coordinator_->pidfd.get(), patience);
}

void Session::wait_until_ready(nanoseconds patience) {
  const std::int64_t until = base::now_ns() + patience.count();
  while (!ready_) {
    if (!wait_for_channel(nanoseconds(std::max<std::int64_t>(until - base::now_ns(), 0)))) {
      throw PipelineInitiationError("the workers were not ready in time; give slow stages a longer start_timeout");
    }
    const std::lock_guard lock(mutex_);
    look();
    if (failure_ && failure_->item) {
      return;  // a source gives items before the last worker is ready; the next call throws
    }
    if (failure_) {
      throw PipelineTerminated(*failure_);
    }
  }
}

void Session::take(const Message& message) {
  switch (message.kind) {
    case Message::Kind::ready:
      ready_ = true;
      return;
    case Message::Kind::failed:
    case Message::Kind::ended:
      if (!failure_) {
        failure_ = message.reason;
      }
      return;
    case Message::Kind::status:
    case Message::Kind::profiles:
      answer_ = message;
      return;
    case Message::Kind::done:
      done_ = message;
      return;
    case Message::Kind::report:
      news_.add(message.reason.text);
      return;
    case Message::Kind::line:
      lines_.add(message.reason.stage, message.reason.text);
      return;
    case Message::Kind::ask_status:
    case Message::Kind::ask_profiles:
    case Message::Kind::drain:
    case Message::Kind::stop:
      return;
  }
}

/// REQUIRES: mutex_ is held.
void Session::look_at_given_up(bool at_end) {
  for (std::string& text : given_up_.look(read_given_up(topology_, view_), nanoseconds(base::now_ns()), at_end)) {
    news_.add(std::move(text));
  }
}

/// REQUIRES: mutex_ is held.
void Session::look() {
  if (stopped_) {
    return;
  }
  look_at_given_up(false);
  while (const auto message = coordinator_->channel.receive()) {
    take(*message);
  }
  if (!failure_ && !done_ && (coordinator_->channel.closed() || readable(coordinator_->pidfd.get(), 0ns))) {
    note_death();
  }
  if (failure_) {
    failed_.store(true, std::memory_order_relaxed);
  }
}

void Session::note_death() {
  wait_for_end(kDeathPatience);
  const auto status = base::try_reap(coordinator_->pidfd.fd());
  std::string how = "ended";
  if (status && status->signal != 0) {
    how = "was killed by " + base::signal_name(status->signal);
  }
  failure_ = {.stage = {},
              .signal = status ? status->signal : 0,
              .item = {},
              .text = "the coordinator process " + std::to_string(coordinator_->pid) + " " + how +
                      ", and its workers with it; call cleanup() and start the pipeline again"};
}

void Session::throw_failure() {
  const std::lock_guard lock(mutex_);
  throw PipelineTerminated(failure_.value_or(TerminationReason{.text = "the pipeline has ended"}));
}

bool Session::failed(std::int64_t now_ns) {
  if (failed_.load(std::memory_order_relaxed)) {
    return true;
  }
  const bool told = static_cast<shm::Command>(view_.workers.front().control->command.load(std::memory_order_relaxed)) ==
                    shm::Command::stop;
  if (told || now_ns - looked_at_.load(std::memory_order_relaxed) > kLookPeriod.count()) {
    // The thread that holds it asks the coordinator something and checks it meanwhile; an item need not wait for the
    // answer.
    if (const std::unique_lock lock(mutex_, std::try_to_lock); lock) {
      looked_at_.store(now_ns, std::memory_order_relaxed);
      look();
    }
  }
  lines_.tell();
  news_.tell();
  return failed_.load(std::memory_order_relaxed);
}

void Session::check(std::int64_t now_ns) {
  if (failed(now_ns)) {
    throw_failure();
  }
}

Message Session::ask(Message::Kind question, Message::Kind answer, nanoseconds patience) {
  const std::int64_t until = base::now_ns() + patience.count();
  answer_.reset();
  look();
  coordinator_->channel.send({.kind = question});
  while (!failure_ && !done_ && base::now_ns() < until) {
    if (wait_for_channel(kLookPeriod)) {
      look();
    }
    if (answer_ && answer_->kind == answer) {
      return *std::exchange(answer_, std::nullopt);
    }
  }
  if (done_) {
    return *done_;
  }
  if (failure_) {
    throw PipelineTerminated(*failure_);
  }
  return {.kind = answer};
}

std::vector<Message::Worker> Session::workers() {
  check(base::now_ns());
  const std::lock_guard lock(mutex_);
  std::vector<Message::Worker> workers = ask(Message::Kind::ask_status, Message::Kind::status, kAnswerPatience).workers;
  workers.resize(topology_.workers.size());
  return workers;
}

Profiles Session::profiles() {
  check(base::now_ns());
  const std::lock_guard lock(mutex_);
  const Message answer = ask(Message::Kind::ask_profiles, Message::Kind::profiles, kProfilePatience);
  if (answer.figures.empty() && !answer.reason.text.empty()) {
    throw ProfilingError("there is no profile: " + answer.reason.text);
  }
  Profiles profiles;
  for (const Message::Figures& figures : answer.figures) {
    profiles.latency[figures.key] = figures.latency_s;
    profiles.throughput[figures.key] = figures.items_per_s;
  }
  return profiles;
}

std::optional<LetterSource> Session::letters() const {
  const auto run = worker::letter_run(*view_.config);
  return run ? std::optional(LetterSource{.program = worker_program_, .run = *run}) : std::nullopt;
}

void Session::drain() {
  const std::lock_guard lock(mutex_);
  if (!stopped_) {
    coordinator_->channel.send({.kind = Message::Kind::drain});
  }
}

std::optional<RunTotals> Session::wait(nanoseconds timeout) {
  const std::int64_t until = base::now_ns() + patience(timeout).count();
  for (;;) {
    {
      const std::lock_guard lock(mutex_);
      look();
      if (done_) {
        return totals();
      }
    }
    const std::int64_t now = base::now_ns();
    check(now);
    if (now >= until) {
      return std::nullopt;
    }
    wait_for_channel(std::min(kLookPeriod, nanoseconds(until - now)));
  }
}

/// REQUIRES: every worker has ended.
RunTotals Session::totals() const {
  const coord::Audit audit = coord::audit(topology_, view_);
  return {.in = audit.in,
          .out = audit.out,
          .lost = audit.lost,
          .dropped = audit.dropped,
          .given_up = audit.given_up,
          .letters = audit.letters,
          .losses = audit.losses};
}

void Session::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || !coordinator_) {
      return;
    }
    stop_coordinator();
  }
  lines_.tell_all();
  news_.tell_all();
}

/// REQUIRES: mutex_ is held.
void Session::stop_coordinator() {
  stopped_ = true;
  if (outputs_ && !failure_) {
    outputs_->keep_made();
  }
  failure_ = {.stage = {}, .signal = 0, .item = {}, .text = "the pipeline was cleaned up"};
  failed_.store(true, std::memory_order_relaxed);
  coordinator_->channel.send({.kind = Message::Kind::stop});
  if (!wait_for_end(patience(stop_grace_) + kStopPatience)) {
    base::log(LogLevel::error, "the coordinator does not end; it is killed, and its workers with it");
    base::send_signal(coordinator_->pidfd.fd(), SIGKILL);
    wait_for_end(kStopPatience);
  }
  base::try_reap(coordinator_->pidfd.fd());
  while (const auto message = coordinator_->channel.receive()) {
    take(*message);
  }
  look_at_given_up(true);
}

}  // namespace pystream::api
