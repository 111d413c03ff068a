#include "coord/live_status.hpp"

#include <algorithm>

#include "base/codec.hpp"
#include "base/escaped_text.hpp"
#include "profile/figures.hpp"

namespace pystream::coord {
namespace {

std::uint64_t minus(std::uint64_t a, std::uint64_t b) {
  return a > b ? a - b : 0;
}

double ratio(double a, double b) {
  return b > 0 ? a / b : 0;
}

template <class T>
T at_or_empty(const std::vector<T>& values, std::size_t index) {
  return index < values.size() ? values[index] : T{};
}

}  // namespace

auto fields(base::MaybeConst<LiveStage> auto& s) {
  return std::tie(s.key, s.role, s.worker, s.items, s.errors, s.total_ns, s.max_ns, s.histogram);
}
auto fields(base::MaybeConst<LiveWorker> auto& w) {
  return std::tie(w.name, w.pid, w.phase, w.waiting_ns, w.working_ns, w.blocked_ns, w.restarts, w.item, w.item_age_ns);
}
auto fields(base::MaybeConst<LiveLink> auto& l) {
  return std::tie(l.name, l.consumer, l.items, l.bytes, l.capacity, l.dropped);
}
auto fields(base::MaybeConst<LiveStatus> auto& s) {
  return std::tie(s.pid, s.run, s.name, s.state, s.time_ns, s.uptime_s, s.stages, s.workers, s.links);
}

std::string encode(const LiveStatus& status) {
  return base::Encoder().put(status).bytes();
}

LiveStatus decode_live_status(std::string_view bytes) {
  return base::Decoder(bytes).get<LiveStatus>();
}

std::vector<LiveFigures> figures_between(const LiveStatus& before, const LiveStatus& now) {
  const double seconds = before.time_ns > 0 ? static_cast<double>(now.time_ns - before.time_ns) * 1e-9 : now.uptime_s;
  std::vector<LiveFigures> all;
  for (std::size_t i = 0; i < now.stages.size(); ++i) {
    const LiveStage& stage = now.stages[i];
    const LiveStage old = at_or_empty(before.stages, i);
    LiveFigures figures{.stage = &stage};
    const auto items = static_cast<double>(minus(stage.items, old.items));
    figures.items_per_s = ratio(items, seconds);
    figures.mean_s = ratio(static_cast<double>(minus(stage.total_ns, old.total_ns)) * 1e-9, items);
    std::vector<std::uint64_t> histogram(shm::kBuckets);
    for (const auto& [bucket, count] : stage.histogram) {
      histogram[std::min<std::size_t>(bucket, shm::kBuckets - 1)] += count;
    }
    for (const auto& [bucket, count] : old.histogram) {
      std::uint64_t& cell = histogram[std::min<std::size_t>(bucket, shm::kBuckets - 1)];
      cell = minus(cell, count);
    }
    figures.p50_s = profile::percentile_s(histogram, 0.5, stage.max_ns);
    figures.p99_s = profile::percentile_s(histogram, 0.99, stage.max_ns);
    if (stage.worker < now.workers.size()) {
      const LiveWorker& worker = now.workers[stage.worker];
      const LiveWorker then = at_or_empty(before.workers, stage.worker);
      figures.worker = &worker;
      const auto waiting = static_cast<double>(minus(worker.waiting_ns, then.waiting_ns));
      // What an item takes is counted when it is done; one that takes long must not look like no work at all.
      const double in_work = std::min(static_cast<double>(worker.item_age_ns), seconds * 1e9);
      const auto working = std::max(static_cast<double>(minus(worker.working_ns, then.working_ns)), in_work);
      const auto blocked = static_cast<double>(minus(worker.blocked_ns, then.blocked_ns));
      const double total = waiting + working + blocked;
      figures.waiting = ratio(waiting, total);
      figures.working = ratio(working, total);
      figures.blocked = ratio(blocked, total);
    }
    for (const LiveLink& link : now.links) {
      if (link.consumer == stage.worker && link.capacity > 0) {
        figures.fill =
            std::max(figures.fill, ratio(static_cast<double>(link.bytes), static_cast<double>(link.capacity)));
        figures.dropped += link.dropped;
      }
    }
    all.push_back(figures);
  }
  return all;
}

std::string to_json(const LiveStatus& before, const LiveStatus& now) {
  std::string out = "{\"pid\": " + std::to_string(now.pid) + ", \"run\": " + std::to_string(now.run) +
                    ", \"name\": " + base::json_string(now.name) + ", \"state\": " + base::json_string(now.state) +
                    ", \"uptime_s\": " + base::json_number(now.uptime_s) + ", \"stages\": [";
  bool first = true;
  for (const LiveFigures& f : figures_between(before, now)) {
    out += first ? "" : ", ";
    first = false;
    out += "{\"key\": " + base::json_string(f.stage->key) + ", \"role\": " + base::json_string(f.stage->role) +
           ", \"items\": " + std::to_string(f.stage->items) + ", \"errors\": " + std::to_string(f.stage->errors) +
           ", \"items_per_s\": " + base::json_number(f.items_per_s) + ", \"mean_s\": " + base::json_number(f.mean_s) +
           ", \"p50_s\": " + base::json_number(f.p50_s) + ", \"p99_s\": " + base::json_number(f.p99_s) +
           ", \"fill\": " + base::json_number(f.fill) + ", \"dropped\": " + std::to_string(f.dropped);
    if (f.worker != nullptr) {
      out += ", \"worker\": " + base::json_string(f.worker->name) + ", \"pid\": " + std::to_string(f.worker->pid) +
             ", \"state\": " + base::json_string(f.worker->phase) +
             ", \"restarts\": " + std::to_string(f.worker->restarts) +
             ", \"waiting\": " + base::json_number(f.waiting) + ", \"working\": " + base::json_number(f.working) +
             ", \"blocked\": " + base::json_number(f.blocked) + ", \"in_work\": " + base::json_string(f.worker->item) +
             ", \"in_work_s\": " + base::json_number(static_cast<double>(f.worker->item_age_ns) * 1e-9);
    }
    out += "}";
  }
  out += "], \"links\": [";
  for (const LiveLink& link : now.links) {
    out += std::string(&link == now.links.data() ? "" : ", ") + "{\"name\": " + base::json_string(link.name) +
           ", \"items\": " + std::to_string(link.items) + ", \"bytes\": " + std::to_string(link.bytes) +
           ", \"capacity_bytes\": " + std::to_string(link.capacity) + ", \"dropped\": " + std::to_string(link.dropped) +
           "}";
  }
  return out + "]}";
}

}  // namespace pystream::coord
