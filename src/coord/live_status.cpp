#include "coord/live_status.hpp"

#include <algorithm>

#include "base/escaped_text.hpp"
#include "profile/figures.hpp"

namespace pystream::coord {
namespace {

double ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}

template <class T>
T at_or_empty(const std::vector<T>& values, std::size_t index) {
  return index < values.size() ? values[index] : T{};
}

std::string worker_name(const LiveStatus& status, std::uint32_t worker) {
  return worker < status.workers.size() ? status.workers[worker].name : std::string();
}

/// Of the time between, as profiles have it of a whole run.
void mark_bottleneck(std::vector<LiveFigures>& all, const LiveStatus& status) {
  std::vector<profile::WorkerLink> links;
  for (const LiveLink& link : status.links) {
    for (const std::uint32_t consumer : link.consumers) {
      links.push_back({.producer = worker_name(status, link.producer), .consumer = worker_name(status, consumer)});
    }
  }
  std::vector<profile::KeySummary> keys;
  for (const LiveFigures& figures : all) {
    keys.push_back(figures.did);
    keys.back().role = figures.stage->role;
    keys.back().worker = worker_name(status, figures.stage->worker);
  }
  profile::mark_bottleneck(keys, links);
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].did.bottleneck = keys[i].bottleneck;
  }
}

double seconds_between(const LiveStatus& before, const LiveStatus& now) {
  return before.time_ns > 0 ? static_cast<double>(now.time_ns - before.time_ns) * 1e-9 : now.uptime_s;
}

std::string whole_json(const LiveStatus& before, const LiveStatus& now) {
  const profile::Figures between = now.whole.since(before.whole);
  const profile::KeySummary did = profile::summary_of(between);
  return ", \"items\": " + std::to_string(now.whole.items) + ", \"items_per_s\": " +
         base::json_number(ratio(static_cast<double>(between.items), seconds_between(before, now))) +
         ", \"p50_s\": " + base::json_number(did.p50_s) + ", \"p99_s\": " + base::json_number(did.p99_s);
}

std::string part_json(const LiveStatus& status) {
  return status.shared_run.empty() ? ""
                                   : ", \"shared_run\": " + base::json_string(status.shared_run) +
                                         ", \"host\": " + base::json_string(status.host);
}

}  // namespace

std::vector<LiveFigures> figures_between(const LiveStatus& before, const LiveStatus& now) {
  const double seconds = seconds_between(before, now);
  std::vector<LiveFigures> all;
  for (std::size_t i = 0; i < now.stages.size(); ++i) {
    const LiveStage& stage = now.stages[i];
    const LiveStage old = at_or_empty(before.stages, i);
    LiveFigures between{.stage = &stage};
    profile::Figures figures = stage.figures.since(old.figures);
    figures.max_ns = stage.figures.max_ns;
    if (stage.worker < now.workers.size()) {
      between.worker = &now.workers[stage.worker];
      // The time of an item is counted when it is done; a long one must not look like no work at all.
      const double in_work = std::min(static_cast<double>(between.worker->item_age_ns), seconds * 1e9);
      figures.working_ns = std::max(figures.working_ns, static_cast<std::uint64_t>(std::max(in_work, 0.0)));
    }
    between.did = profile::summary_of(figures);
    between.did.items_per_s = ratio(static_cast<double>(figures.items), seconds);
    for (const LiveLink& link : now.links) {
      if (std::ranges::find(link.consumers, stage.worker) != link.consumers.end()) {
        const LiveLink old_link = at_or_empty(before.links, static_cast<std::size_t>(&link - now.links.data()));
        const double rate = ratio(static_cast<double>(link.done - std::min(link.done, old_link.done)), seconds);
        between.fill = std::max(between.fill, link.fill);
        between.queueing_s = std::max(between.queueing_s, ratio(static_cast<double>(link.items), rate));
        between.oldest_s = std::max(between.oldest_s, static_cast<double>(link.oldest_ns) * 1e-9);
        between.did.dropped += link.dropped;
      }
    }
    all.push_back(std::move(between));
  }
  mark_bottleneck(all, now);
  return all;
}

std::string to_json(const LiveStatus& before, const LiveStatus& now) {
  std::string out = "{\"pid\": " + std::to_string(now.pid) + ", \"run\": " + std::to_string(now.run) +
                    ", \"name\": " + base::json_string(now.name) + part_json(now) +
                    ", \"state\": " + base::json_string(now.state) +
                    ", \"uptime_s\": " + base::json_number(now.uptime_s) + whole_json(before, now) + ", \"stages\": [";
  bool first = true;
  for (const LiveFigures& f : figures_between(before, now)) {
    out += first ? "" : ", ";
    first = false;
    out += "{\"key\": " + base::json_string(f.stage->key) + ", \"role\": " + base::json_string(f.stage->role) +
           ", \"items\": " + std::to_string(f.stage->figures.items) +
           ", \"errors\": " + std::to_string(f.stage->figures.errors) +
           ", \"letters\": " + std::to_string(f.stage->letters) +
           ", \"items_per_s\": " + base::json_number(f.did.items_per_s) +
           ", \"mean_s\": " + base::json_number(f.did.mean_s) + ", \"p50_s\": " + base::json_number(f.did.p50_s) +
           ", \"p99_s\": " + base::json_number(f.did.p99_s) + ", \"fill\": " + base::json_number(f.fill) +
           ", \"queueing_s\": " + base::json_number(f.queueing_s) + ", \"oldest_s\": " + base::json_number(f.oldest_s) +
           ", \"dropped\": " + std::to_string(f.did.dropped) +
           ", \"bottleneck\": " + (f.did.bottleneck ? "true" : "false");
    if (f.worker != nullptr) {
      out +=
          ", \"worker\": " + base::json_string(f.worker->name) + ", \"pid\": " + std::to_string(f.worker->pid) +
          ", \"state\": " + base::json_string(f.worker->phase) +
          ", \"restarts\": " + std::to_string(f.worker->restarts) +
          ", \"waiting\": " + base::json_number(f.did.waiting) + ", \"working\": " + base::json_number(f.did.working) +
          ", \"blocked\": " + base::json_number(f.did.blocked) + ", \"in_work\": " + base::json_string(f.worker->item) +
          ", \"in_work_s\": " + base::json_number(static_cast<double>(f.worker->item_age_ns) * 1e-9);
    }
    out += "}";
  }
  out += "], \"links\": [";
  for (const LiveLink& link : now.links) {
    out += std::string(&link == now.links.data() ? "" : ", ") + "{\"name\": " + base::json_string(link.name) +
           ", \"producer\": " + base::json_string(worker_name(now, link.producer)) + ", \"consumers\": [";
    for (const std::uint32_t& consumer : link.consumers) {
      out += (&consumer == link.consumers.data() ? "" : ", ") + base::json_string(worker_name(now, consumer));
    }
    out += "], \"items\": " + std::to_string(link.items) + ", \"items_done\": " + std::to_string(link.done) +
           ", \"bytes\": " + std::to_string(link.bytes) + ", \"capacity_bytes\": " + std::to_string(link.capacity) +
           ", \"dropped\": " + std::to_string(link.dropped) + ", \"fill\": " + base::json_number(link.fill) +
           ", \"oldest_s\": " + base::json_number(static_cast<double>(link.oldest_ns) * 1e-9) + "}";
  }
  out += "], \"workers\": [";
  for (const LiveWorker& worker : now.workers) {
    out += std::string(&worker == now.workers.data() ? "" : ", ") + "{\"name\": " + base::json_string(worker.name) +
           ", \"pid\": " + std::to_string(worker.pid) + ", \"state\": " + base::json_string(worker.phase) +
           ", \"restarts\": " + std::to_string(worker.restarts) + "}";
  }
  return out + "]}";
}

}  // namespace pystream::coord
