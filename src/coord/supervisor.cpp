#include "coord/supervisor.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/pidfd.hpp"

namespace pystream::coord {
namespace {

/// SIGKILLs from outside that a worker may get on one item before the item is suspected after all.
constexpr std::uint32_t kOutsideKills = 20;
/// Inputs that were in work together at so many deaths in a row are tried one by one: their own deaths, or SIGKILLs
/// from outside without any progress.
constexpr std::uint32_t kIsolateAfter = 2;
constexpr std::uint32_t kIsolateAfterKills = 3;

std::string how_it_ended(const WorkerExit& exit, bool hung) {
  const std::string how = exit.signal != 0
                              ? (hung ? "hung and was killed by " : "was killed by ") + base::signal_name(exit.signal)
                              : "ended with exit code " + std::to_string(exit.code) + " before its input ended";
  return how + (exit.cause.empty() ? "" : " (" + exit.cause + ")");
}

}  // namespace

std::string items_in_work(const WorkerView& view) {
  if (!view.number) {
    return {};
  }
  const std::string sequence = std::to_string(view.sequence);
  return view.in_flight > 1 ? "one of " + std::to_string(view.in_flight) + " items from " + sequence + " on"
                            : "item " + sequence;
}

std::optional<std::uint64_t> item_in_work(const WorkerView& view) {
  return view.number && view.in_flight <= 1 ? std::optional(view.sequence) : std::nullopt;
}

Supervisor::Supervisor(const plan::Topology& topology, const plan::RestartPolicy& policy)
    : topology_(topology), policy_(policy), workers_(topology.workers.size()) {
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    Worker& worker = workers_[id];
    worker.state = topology.workers[id].external ? State::ended : State::idle;
    for (const plan::Segment& segment : topology.workers[id].segments) {
      for (const plan::StageId stage : segment.stages) {
        const plan::FaultPolicy& faults = topology.stages[stage].node->stage->faults;
        worker.start_timeout = std::max(worker.start_timeout, faults.start_timeout);
        if (faults.timeout) {
          worker.timeout = std::min(worker.timeout.value_or(*faults.timeout), *faults.timeout);
        }
      }
    }
    if (worker.start_timeout == Time{}) {
      worker.start_timeout = plan::FaultPolicy{}.start_timeout;
    }
  }
}

const plan::FaultPolicy& Supervisor::policy_of(plan::WorkerId id, std::uint32_t index) const {
  static const plan::FaultPolicy kNone;
  for (const plan::Segment& segment : topology_.workers[id].segments) {
    if (index < segment.stages.size()) {
      return topology_.stages[segment.stages[index]].node->stage->faults;
    }
    index -= static_cast<std::uint32_t>(segment.stages.size());
  }
  return kNone;
}

std::string Supervisor::stage_key(plan::WorkerId id, std::uint32_t index) const {
  for (const plan::Segment& segment : topology_.workers[id].segments) {
    if (index < segment.stages.size()) {
      return topology_.stages[segment.stages[index]].key;
    }
    index -= static_cast<std::uint32_t>(segment.stages.size());
  }
  return topology_.workers[id].name;
}

bool Supervisor::is_source(plan::WorkerId id, std::uint32_t index) const {
  return index == 0 && topology_.has_source(id);
}

StartWorker Supervisor::start_worker(plan::WorkerId id, Time now) {
  Worker& worker = workers_[id];
  worker.state = State::starting;
  worker.since = now;
  worker.killed_by_us = false;
  worker.cleaning_since.reset();
  const plan::FaultPolicy& policy = policy_of(id, worker.died_in);
  const std::uint32_t limit = policy.on_crash == plan::OnCrash::skip ? 1 : policy.max_attempts;
  const bool suspected = worker.attempts >= limit || worker.vain_kills >= kOutsideKills;
  return {.id = id,
          .incarnation = worker.restarts,
          .attempt_number = worker.died_on,
          .attempts = worker.attempts,
          .deaths = worker.attempts + worker.outside_kills,
          .seen_until = worker.seen_until,
          .isolate_until = worker.isolate_until,
          .give_up = worker.died_on && suspected && !is_source(id, worker.died_in),
          .only_ends = worker.only_ends,
          .segment = worker.died_segment,
          .stage = worker.died_in,
          .signal = worker.died_signal,
          .death = worker.death,
          .stack = worker.stack};
}

std::vector<Action> Supervisor::start(Time now) {
  std::vector<Action> actions;
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    if (workers_[id].state == State::idle) {
      actions.emplace_back(start_worker(id, now));
    }
  }
  return actions;
}

void Supervisor::on_ready(plan::WorkerId id, Time now) {
  if (workers_[id].state == State::starting) {
    workers_[id].state = State::running;
    workers_[id].seen_at = now;
    workers_[id].looked_at = now;
  }
}

bool Supervisor::all_ready() const {
  return std::none_of(workers_.begin(), workers_.end(), [](const Worker& worker) {
    return worker.state == State::idle || worker.state == State::starting || worker.state == State::backing_off;
  });
}

std::vector<Action> Supervisor::finish_if_over() {
  const bool over =
      std::all_of(workers_.begin(), workers_.end(), [](const Worker& worker) { return worker.state == State::ended; });
  if (over && !failure_) {
    failure_ = std::exchange(failed_cleanup_, {});
  }
  return over ? std::vector<Action>{EndRun{}} : std::vector<Action>{};
}

/// The workers that get what comes out of `id`, along the links. Empty if that is read by the user's process.
std::vector<plan::SegmentRef> Supervisor::behind(plan::WorkerId id) const {
  std::vector<plan::SegmentRef> found;
  std::vector<plan::LinkId> links = topology_.workers[id].segments.back().outputs;
  for (std::size_t i = 0; i < links.size(); ++i) {
    for (const plan::SegmentRef consumer : topology_.links[links[i]].consumers) {
      if (topology_.workers[consumer.worker].external) {
        return {};
      }
      found.push_back(consumer);
      for (const plan::LinkId next : topology_.segment(consumer).outputs) {
        if (std::ranges::find(links, next) == links.end()) {
          links.push_back(next);
        }
      }
    }
  }
  return found;
}

/// The worker with whose output a failure of `id` ends: itself, or the outermost serial row around it, or what collects
/// from it and other replicas or branches. A row takes its next item only when its children have answered the one
/// before, and a collector takes from all of them; so neither can go on without one of them.
plan::WorkerId Supervisor::last_to_give(plan::WorkerId id) const {
  const std::vector<plan::SegmentRef> all = behind(id);
  const auto is_behind = [&](plan::SegmentRef at) { return std::ranges::find(all, at) != all.end(); };
  const auto comes_from_it = [&](plan::LinkId link) {
    const plan::SegmentRef producer = topology_.links[link].producer;
    return producer.worker == id || is_behind(producer);
  };
  plan::WorkerId last = id;
  for (const plan::SegmentRef consumer : all) {
    const bool collects_from_others = !std::ranges::all_of(topology_.segment(consumer).inputs, comes_from_it);
    // A row that stands behind as a whole is not around it.
    const bool row_around = consumer.index > 0 && !is_behind({.worker = consumer.worker, .index = 0});
    last = row_around || collects_from_others ? consumer.worker : last;
  }
  return last;
}

/// What was committed still comes out, if there is anything behind: the last worker that gives is started once more to
/// end its output, when it has ended. All but those behind it stop.
std::vector<Action> Supervisor::fail(plan::WorkerId id, TerminationReason reason, const WorkerView& view, Time now) {
  if (failure_) {
    return on_stop_request();
  }
  failure_ = std::move(reason);
  const plan::WorkerId last = last_to_give(id);
  const std::vector<plan::SegmentRef> behind_last = behind(last);
  if (behind_last.empty() || view.commits == 0 || view.link_damaged) {
    return on_stop_request();
  }
  for (Worker& worker : workers_) {
    worker.told_to_stop = true;
  }
  StopAll stop;
  for (const plan::SegmentRef consumer : behind_last) {
    stop.but.push_back(consumer.worker);
    workers_[consumer.worker].told_to_stop = false;
  }
  workers_[last].only_ends = true;
  end_those_that_do_not_run();
  std::vector<Action> actions{WakeNeighbours{id},
                              Report{.text = failure_->text + "; its committed output is still processed",
                                     .stage = failure_->stage,
                                     .item = failure_->item},
                              std::move(stop)};
  if (workers_[last].state == State::ended) {
    actions.emplace_back(start_last_end(last, now));
  }
  return actions;
}

StartWorker Supervisor::start_last_end(plan::WorkerId id, Time now) {
  workers_[id].told_to_stop = false;
  return start_worker(id, now);
}

void Supervisor::end_those_that_do_not_run() {
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    Worker& worker = workers_[id];
    if (stopping(id) && (worker.state == State::backing_off || worker.state == State::idle)) {
      worker.state = State::ended;
    }
  }
}

std::vector<Action> Supervisor::on_stop_request() {
  std::vector<Action> actions;
  if (!stopping_) {
    stopping_ = true;
    actions.emplace_back(StopAll{});
  }
  end_those_that_do_not_run();
  for (Action& action : finish_if_over()) {
    actions.push_back(std::move(action));
  }
  return actions;
}

/// Of a worker that was told to stop: what its stages had to do at their end may be undone. Empty if there is nothing
/// to say, as of one that was killed since it was late with an item.
std::string Supervisor::bad_end(plan::WorkerId id, const WorkerExit& exit) const {
  const std::string stage = "stage " + stage_key(id, exit.view.stage);
  if (!exit.view.failure.empty()) {
    return stage + " failed while it ended: " + exit.view.failure;
  }
  if (exit.signal == SIGKILL) {
    return exit.view.cleaning ? stage + " was killed in its cleanup(), which took too long" : "";
  }
  return exit.signal != 0 || exit.code != 0 ? stage + " " + how_it_ended(exit, false) : "";
}

std::vector<Action> Supervisor::on_exit(plan::WorkerId id, const WorkerExit& exit, Time now) {
  Worker& worker = workers_[id];
  worker.state = State::ended;
  const bool ended_well = exit.view.finished && exit.code == 0 && exit.signal == 0;
  if (worker.only_ends && worker.told_to_stop && !stopping_) {
    return {WakeNeighbours{id}, start_last_end(id, now)};
  }
  if (stopping(id) || ended_well) {
    std::vector<Action> actions{WakeNeighbours{id}};
    if (const std::string text = ended_well ? "" : bad_end(id, exit); !text.empty()) {
      actions.emplace_back(Report{.text = text, .stage = stage_key(id, exit.view.stage)});
    }
    for (Action& action : finish_if_over()) {
      actions.push_back(std::move(action));
    }
    return actions;
  }
  if (worker.hung_cleaning) {
    return on_hung_cleanup(id, exit.view);
  }
  if (!exit.view.failure.empty()) {
    const std::string stage = stage_key(id, exit.view.stage);
    std::string text = "stage " + stage + (exit.view.start_failed ? " could not start: " : " failed");
    if (!exit.view.start_failed) {
      text += exit.view.failure_sequence ? " on item " + std::to_string(*exit.view.failure_sequence) + ": " : ": ";
    }
    return fail(id, {.stage = stage, .signal = 0, .item = exit.view.failure_sequence, .text = text + exit.view.failure},
                exit.view, now);
  }
  return on_crash(id, exit, now);
}

/// All its items are committed, so nothing must be done again and no other worker is stopped.
std::vector<Action> Supervisor::on_hung_cleanup(plan::WorkerId id, const WorkerView& view) {
  const std::string stage = stage_key(id, view.stage);
  failed_cleanup_ = {.stage = stage,
                     .signal = SIGKILL,
                     .item = {},
                     .text = "stage " + stage + " hung in its cleanup() and was killed; every item was processed"};
  std::vector<Action> actions{WakeNeighbours{id}, Report{.text = failed_cleanup_->text, .stage = stage}};
  for (Action& action : finish_if_over()) {
    actions.push_back(std::move(action));
  }
  return actions;
}

/// Several inputs were in work at a death. Not each death is the doing of one of them, so they go together once more;
/// the next death with the same inputs in work, or a policy that allows no further one, has them tried one by one.
void Supervisor::suspect(plan::WorkerId id, const WorkerExit& exit, bool fruitful) {
  Worker& worker = workers_[id];
  Suspects now{.first = *exit.view.number,
               .end = *exit.view.number + exit.view.in_flight,
               .segment = exit.view.segment,
               .outside = exit.signal == SIGKILL && !worker.killed_by_us,
               .deaths = 1};
  const Suspects& before = worker.suspects;
  const bool overlap = before.segment == now.segment && before.first < now.end && now.first < before.end;
  if (overlap && now.outside && !before.outside) {
    return;  // says nothing about them
  }
  if (overlap && now.outside == before.outside && !(now.outside && fruitful)) {
    now.first = std::max(now.first, before.first);
    now.end = std::min(now.end, before.end);
    now.deaths += before.deaths;
  }
  worker.suspects = now;
  const plan::FaultPolicy& policy = policy_of(id, exit.view.stage);
  const std::uint32_t limit = policy.on_crash == plan::OnCrash::skip ? 1 : policy.max_attempts;
  const std::uint32_t enough = now.outside ? kIsolateAfterKills : std::clamp(limit - 1, 1U, kIsolateAfter);
  if (now.deaths >= enough) {
    worker.isolate_until = now.end;
  }
}

void Supervisor::count_attempt(plan::WorkerId id, const WorkerExit& exit, bool fruitful) {
  Worker& worker = workers_[id];
  if (!exit.view.number) {
    return;
  }
  if (worker.died_segment != exit.view.segment) {
    worker.seen_until = 0;
    worker.isolate_until = 0;
  }
  worker.seen_until = std::max(worker.seen_until, *exit.view.number + std::max(exit.view.in_flight, 1U));
  const bool outside = exit.signal == SIGKILL && !worker.killed_by_us;
  if (exit.view.in_flight > 1) {
    suspect(id, exit, fruitful);
    return;
  }
  worker.isolate_until = std::max(worker.isolate_until, *exit.view.number + 1);
  worker.died_in = exit.view.stage;
  if (worker.died_on != exit.view.number || worker.died_segment != exit.view.segment) {
    worker.died_on = exit.view.number;
    worker.died_segment = exit.view.segment;
    worker.attempts = 0;
    worker.outside_kills = 0;
    worker.vain_kills = 0;
  }
  if (!outside && worker.suspects.has(*exit.view.number, exit.view.segment)) {
    (worker.suspects.outside ? worker.outside_kills : worker.attempts) += worker.suspects.deaths;
    worker.suspects = {};
  }
  ++(outside ? worker.outside_kills : worker.attempts);
  if (outside) {
    // An item of many outputs, which are committed part by part, progresses even if its worker is killed again and
    // again.
    worker.vain_kills = fruitful ? 1 : worker.vain_kills + 1;
  }
  if (outside && worker.attempts > 0) {
    return;  // the letter, if there is to be one, tells of the item's own doing
  }
  worker.died_signal = exit.signal;
  worker.stack = exit.stack;
  worker.death = "the stage " + how_it_ended(exit, worker.killed_by_us);
  const std::uint32_t deaths = worker.attempts + worker.outside_kills;
  if (deaths > 1) {
    worker.death += ", and its worker died " + std::to_string(deaths) + " times on this item";
  }
}

bool Supervisor::too_many_restarts(Time now) {
  fruitless_restarts_.push_back(now);
  while (fruitless_restarts_.front() + policy_.window < now) {
    fruitless_restarts_.pop_front();
  }
  return fruitless_restarts_.size() > policy_.max_restarts;
}

std::vector<Action> Supervisor::on_crash(plan::WorkerId id, const WorkerExit& exit, Time now) {
  Worker& worker = workers_[id];
  const std::string stage = stage_key(id, exit.view.stage);
  const bool outside = exit.signal == SIGKILL && !worker.killed_by_us;
  const bool fruitful = exit.view.commits != worker.commits_at_start;
  count_attempt(id, exit, fruitful);
  std::string text = "stage " + stage + " " + how_it_ended(exit, worker.killed_by_us);
  if (exit.view.number) {
    text += " on " + items_in_work(exit.view);
  }
  const TerminationReason reason{.stage = stage, .signal = exit.signal, .item = item_in_work(exit.view), .text = text};
  const plan::FaultPolicy& policy = policy_of(id, exit.view.stage);
  if (policy.on_crash == plan::OnCrash::fail) {
    return fail(id, reason, exit.view, now);
  }
  worker.fruitless = fruitful ? 0 : worker.fruitless + 1;
  // A storm of SIGKILLs from outside says nothing about the stage; only its own limit on one item stops it.
  if (!fruitful && !outside && too_many_restarts(now)) {
    TerminationReason storm = reason;
    storm.text += "; more than " + std::to_string(policy_.max_restarts) + " restarts without progress";
    return fail(id, storm, exit.view, now);
  }
  ++worker.restarts;
  worker.commits_at_start = exit.view.commits;
  std::vector<Action> actions{WakeNeighbours{id},
                              Report{.text = text + "; it is restarted", .stage = stage, .item = reason.item}};
  if (fruitful || (outside && worker.fruitless == 1)) {
    actions.emplace_back(start_worker(id, now));
  } else {
    const std::uint32_t doublings = std::min(worker.fruitless - 1, 20U);
    worker.state = State::backing_off;
    worker.since = now + std::min(policy_.backoff_first * (std::int64_t{1} << doublings), policy_.backoff_limit);
  }
  return actions;
}

/// True if the worker has not moved for longer than its stages' timeout.
bool Supervisor::watch(plan::WorkerId id, const WorkerView& view, Time now) {
  Worker& worker = workers_[id];
  worker.looked_at = now;
  const bool moved = !view.working || view.commits != worker.seen_commits || view.number != worker.seen_number;
  if (moved || !worker.timeout) {
    worker.seen_commits = view.commits;
    worker.seen_number = view.number;
    worker.seen_at = now;
    return false;
  }
  return now - worker.seen_at > *worker.timeout;
}

/// True if the worker cleans up for longer than it may take to start.
bool Supervisor::watch_cleanup(plan::WorkerId id, const WorkerView& view, Time now) {
  Worker& worker = workers_[id];
  if (view.cleaning && !worker.cleaning_since) {
    worker.cleaning_since = now;
  }
  return worker.cleaning_since && now - *worker.cleaning_since > worker.start_timeout;
}

std::vector<Action> Supervisor::on_tick(const std::vector<WorkerView>& views, Time now) {
  std::vector<Action> actions;
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    Worker& worker = workers_[id];
    if (worker.state == State::backing_off && now >= worker.since) {
      actions.emplace_back(start_worker(id, now));
    } else if (worker.killed_by_us || stopping(id)) {
      continue;
    } else if (worker.state == State::starting && now - worker.since > worker.start_timeout) {
      worker.killed_by_us = true;
      actions.emplace_back(Report{.text = "stage " + topology_.workers[id].name + " was not ready in time",
                                  .stage = topology_.workers[id].name});
      actions.emplace_back(KillWorker{id});
    } else if (worker.state == State::running && watch_cleanup(id, views[id], now)) {
      worker.killed_by_us = worker.hung_cleaning = true;
      actions.emplace_back(Report{.text = "stage " + stage_key(id, views[id].stage) + " hangs in its cleanup()",
                                  .stage = stage_key(id, views[id].stage)});
      actions.emplace_back(KillWorker{id});
    } else if (worker.state == State::running && watch(id, views[id], now)) {
      worker.killed_by_us = true;
      actions.emplace_back(Report{.text = "stage " + stage_key(id, views[id].stage) + " hangs",
                                  .stage = stage_key(id, views[id].stage),
                                  .item = item_in_work(views[id])});
      actions.emplace_back(KillWorker{id});
    }
  }
  return actions;
}

void Supervisor::forgive(Time gap) {
  for (Worker& worker : workers_) {
    worker.since += worker.state == State::starting ? gap : Time{};
    worker.seen_at += gap;
    if (worker.cleaning_since) {
      *worker.cleaning_since += gap;
    }
  }
}

std::optional<Time> Supervisor::next_deadline() const {
  std::optional<Time> next;
  const auto at = [&](Time time) { next = std::min(next.value_or(time), time); };
  for (plan::WorkerId id = 0; id < workers_.size(); ++id) {
    const Worker& worker = workers_[id];
    if (stopping(id) || (worker.killed_by_us && worker.state != State::backing_off)) {
      continue;  // on_tick() has nothing to do but wait for its end
    }
    switch (worker.state) {
      case State::backing_off:
        at(worker.since);
        break;
      case State::starting:
        at(worker.since + worker.start_timeout);
        break;
      case State::running:
        if (worker.cleaning_since) {
          at(*worker.cleaning_since + worker.start_timeout);
        } else if (worker.timeout) {
          // At most a quarter late, without checking all the time.
          at(worker.looked_at + *worker.timeout / 4);
        }
        break;
      default:
        break;
    }
  }
  return next;
}

}  // namespace pystream::coord
