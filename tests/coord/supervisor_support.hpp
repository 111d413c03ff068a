#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "coord/supervisor.hpp"

/// The supervisor with a clock of the test's own: no process, no sleep.
namespace pystream::coord::test {

inline plan::Node make_stage(std::string name, plan::FaultPolicy faults = {}) {
  plan::Node node;
  node.name = std::move(name);
  node.stage.emplace();
  node.stage->type = "pass";
  node.stage->faults = faults;
  return node;
}

template <class T>
std::vector<T> actions_of(const std::vector<Action>& actions) {
  std::vector<T> found;
  for (const Action& action : actions) {
    if (const T* one = std::get_if<T>(&action)) {
      found.push_back(*one);
    }
  }
  return found;
}

template <class T>
bool has(const std::vector<Action>& actions) {
  return !actions_of<T>(actions).empty();
}

/// Worker 0 is the source, 1 the stage A that dies in these tests, 2 the sink.
class SupervisorTest : public ::testing::Test {
 protected:
  static constexpr plan::WorkerId kStage = 1;

  explicit SupervisorTest(plan::FaultPolicy faults = {}, plan::RestartPolicy restarts = {}) {
    plan_.root.name = plan::kMainPipeline;
    plan_.root.children = {make_stage("A", faults)};
    plan_.source = make_stage("");
    plan_.sink = make_stage("");
    plan_.restarts = restarts;
    topology_ = plan::make_topology(plan_);
    sut_.emplace(topology_, plan_.restarts);
  }

  void use(plan::FaultPolicy faults, plan::RestartPolicy restarts = {}) {
    plan_.root.children[0].stage->faults = faults;
    plan_.restarts = restarts;
    topology_ = plan::make_topology(plan_);
    sut_.emplace(topology_, plan_.restarts);
  }

  void start_all() {
    ASSERT_EQ(sut_->start(now_).size(), topology_.workers.size());
    for (plan::WorkerId id = 0; id < topology_.workers.size(); ++id) {
      sut_->on_ready(id, now_);
    }
    ASSERT_TRUE(sut_->all_ready());
  }

  struct Death {
    int signal = SIGSEGV;
    std::uint64_t commits = 0;
    std::optional<std::uint64_t> number{};
    int code = 0;
    std::string stack{};
  };
  std::vector<Action> die(Death death) {
    WorkerView view{.working = true, .commits = death.commits};
    view.number = death.number;
    view.sequence = death.number.value_or(0);
    return sut_->on_exit(kStage, {.code = death.code, .signal = death.signal, .view = view, .stack = death.stack},
                         now_);
  }
  std::vector<Action> finish(plan::WorkerId id) {
    return sut_->on_exit(id, {.code = 0, .signal = 0, .view = {.finished = true}}, now_);
  }
  std::vector<Action> tick(WorkerView stage = {}) { return sut_->on_tick({{}, stage, {}}, now_); }
  /// Lets the time pass until the restart that is due; the start it gives.
  std::optional<StartWorker> wait_for_restart() {
    for (int i = 0; i < 100; ++i) {
      const auto next = sut_->next_deadline();
      if (!next) {
        return std::nullopt;
      }
      now_ = std::max(now_, *next);
      if (const auto starts = actions_of<StartWorker>(tick()); !starts.empty()) {
        sut_->on_ready(kStage, now_);
        return starts[0];
      }
    }
    return std::nullopt;
  }
  /// A death and the restart after it, at once or after a back-off; how long that took.
  std::optional<Time> die_and_restart(Death death) {
    const Time before = now_;
    const auto starts = actions_of<StartWorker>(die(death));
    if (!starts.empty()) {
      last_ = starts[0];
      sut_->on_ready(kStage, now_);
      return Time(0);
    }
    const auto start = wait_for_restart();
    if (!start) {
      return std::nullopt;
    }
    last_ = *start;
    return now_ - before;
  }

  plan::Plan plan_;
  plan::Topology topology_;
  std::optional<Supervisor> sut_;
  Time now_ = std::chrono::seconds(1000);
  StartWorker last_;
};

}  // namespace pystream::coord::test
