#include "api/parallel_run.hpp"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "api/patience.hpp"
#include "base/clock.hpp"
#include "profile/link_figures.hpp"

namespace pystream::api {
namespace {

using std::chrono::nanoseconds;
using namespace std::chrono_literals;

LinkStatus link_status(Session& session, plan::LinkId id) {
  const profile::LinkFigures figures = profile::read_link(session.segment(), session.view(), id);
  return {.name = session.topology().links[id].name,
          .items = figures.fill_items,
          .dropped = figures.dropped + session.view().links[id].overrun(),
          .fill = figures.fill};
}

}  // namespace

PipelineStatus session_status(Session& session) {
  const std::vector<Message::Worker> workers = session.workers();
  const plan::Topology& topology = session.topology();
  std::vector<GivenUpItems> given_up = read_given_up(topology, session.view());
  PipelineStatus status{.coordinator = session.coordinator(), .given_up = 0, .stages = {}, .links = {}};
  for (plan::LinkId id = 0; id < topology.item_links().size(); ++id) {
    status.links.push_back(link_status(session, id));
  }
  for (std::size_t i = 0; i < topology.stages.size(); ++i) {
    const plan::WorkerId id = topology.stages[i].worker;
    const shm::StageStats& stats = session.view().workers[id].stats[topology.stages[i].index];
    StageStatus stage{.key = topology.stages[i].key,
                      .pid = topology.workers[id].external ? ::getpid() : workers[id].pid,
                      .items = stats.items.load(std::memory_order_relaxed),
                      .errors = stats.errors.load(std::memory_order_relaxed),
                      .restarts = workers[id].restarts};
    for (const plan::LinkId input : topology.workers[id].segments.front().inputs) {
      stage.link_fill = std::max(stage.link_fill, status.links[input].fill);
    }
    stage.last_error = std::move(given_up[i].last_reason);
    status.given_up += stage.errors;
    status.stages.push_back(std::move(stage));
  }
  return status;
}

ParallelRun::ParallelRun(PipelineTree& tree, const ParallelOptions& options, const PipelineOptions& pipeline)
    : session_(tree, options, pipeline) {
  if (!tree.source) {
    entry_.emplace(session_, session_.topology().fed_by_user().front(),
                   WaitOptions{.block = options.block_input, .timeout = options.input_timeout});
  }
  if (!tree.sink) {
    exit_.emplace(session_, session_.topology().read_by_user().front(),
                  WaitOptions{.block = options.block_output, .timeout = options.output_timeout});
  }
}

Entry& ParallelRun::entry(const char* call) {
  if (!entry_) {
    throw Error(std::string(call) + " is for a pipeline without a source; stage " +
                session_.topology().stages.front().key + " gives the items of this one");
  }
  return *entry_;
}

Exit& ParallelRun::exit() {
  if (!exit_) {
    throw Error("get_results() is for a pipeline without a sink; stage " + session_.topology().stages.back().key +
                " takes the results of this one");
  }
  return *exit_;
}

bool ParallelRun::forward(const void* value, const ValueType& type, const std::stop_token& stop) {
  return session_.on_links([&] { return entry("forward()").forward(value, type, stop); });
}

std::size_t ParallelRun::forward_all(const ValueType& type, const NextValue& next) {
  return session_.on_links([&] { return entry("forward_all()").forward_all(type, next); });
}

std::unique_ptr<LoanSlot> ParallelRun::loan(std::size_t size) {
  return session_.on_links([&] { return entry("loan()").loan(size); });
}

bool ParallelRun::take_result(const Decode& decode) {
  return session_.on_links([&] { return exit().take(decode); });
}

std::size_t ParallelRun::take_results(std::size_t limit, const Decode& decode) {
  return session_.on_links([&] { return exit().take_all(limit, decode); });
}

std::optional<RunTotals> ParallelRun::wait(nanoseconds timeout) {
  if (!has_source()) {
    throw Error("wait() waits for the end of a source, and this pipeline has none; drain() waits for its results");
  }
  return session_.wait(timeout);
}

/// A worker releases its input only after it has published the result, so an item in flight is always seen
/// by a look at the links from the first to the last.
bool ParallelRun::drain(nanoseconds timeout) {
  if (has_source()) {
    session_.drain();
    return session_.wait(timeout).has_value();
  }
  const std::int64_t until = base::now_ns() + patience(timeout).count();
  const auto& links = session_.view().links;
  const std::vector<plan::LinkId> results = session_.topology().read_by_user();
  const auto item_links = static_cast<plan::LinkId>(session_.topology().item_links().size());
  const auto is_done = [&](plan::LinkId id) {
    return std::ranges::find(results, id) != results.end() ||
           links[id].read_position() >= links[id].producer->write_position.load(std::memory_order_seq_cst);
  };
  const auto all_done = [&] {  // clang 14 cannot compile std::views::iota of this standard library
    for (plan::LinkId id = 0; id < item_links; ++id) {
      if (!is_done(id)) {
        return false;
      }
    }
    return true;
  };
  for (nanoseconds pause = 50us;; pause = std::min<nanoseconds>(2 * pause, 2ms)) {
    if (all_done()) {
      return true;
    }
    const std::int64_t now = base::now_ns();
    session_.check(now);
    if (now >= until) {
      return false;
    }
    std::this_thread::sleep_for(std::min(pause, nanoseconds(until - now)));
  }
}

PipelineStatus ParallelRun::status() {
  return session_status(session_);
}

void ParallelRun::stop() {
  session_.stop();
}

}  // namespace pystream::api
