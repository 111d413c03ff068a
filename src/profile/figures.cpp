#include "profile/figures.hpp"

#include <algorithm>

#include "profile/counters.hpp"

namespace pystream::profile {

Figures Figures::since(const Figures& before) const {
  Figures result = *this;
  result.items = minus(items, before.items);
  result.samples = minus(samples, before.samples);
  result.errors = minus(errors, before.errors);
  result.timed = minus(timed, before.timed);
  result.timed_ns = minus(timed_ns, before.timed_ns);
  result.total_ns = minus(total_ns, before.total_ns);
  result.waiting_ns = minus(waiting_ns, before.waiting_ns);
  result.working_ns = minus(working_ns, before.working_ns);
  result.blocked_ns = minus(blocked_ns, before.blocked_ns);
  result.min_ns = result.max_ns = 0;
  bool first = true;
  for (std::size_t i = 0; i < result.histogram.size(); ++i) {
    result.histogram[i] = minus(histogram[i], i < before.histogram.size() ? before.histogram[i] : 0);
    if (result.histogram[i] > 0) {
      result.min_ns = first ? shm::bucket_low(i) : result.min_ns;
      result.max_ns = shm::bucket_low(i + 1) - 1;
      first = false;
    }
  }
  return result;
}

void Figures::add(const Figures& more) {
  if (more.timed > 0) {
    min_ns = timed > 0 ? std::min(min_ns, more.min_ns) : more.min_ns;
    max_ns = std::max(max_ns, more.max_ns);
  }
  items += more.items;
  samples += more.samples;
  errors += more.errors;
  timed += more.timed;
  timed_ns += more.timed_ns;
  total_ns += more.total_ns;
  waiting_ns += more.waiting_ns;
  working_ns += more.working_ns;
  blocked_ns += more.blocked_ns;
  histogram.resize(std::max(histogram.size(), more.histogram.size()));
  for (std::size_t i = 0; i < more.histogram.size(); ++i) {
    histogram[i] += more.histogram[i];
  }
}

Figures read_figures(const shm::SupervisorView& view, std::uint32_t worker_id, std::uint32_t index) {
  const shm::SupervisorView::Worker& worker = view.workers.at(worker_id);
  const shm::WorkerPage& page = *worker.page;
  Figures figures;
  figures.waiting_ns = get(page.waiting_ns);
  figures.blocked_ns = get(page.blocked_ns);
  figures.working_ns = minus(get(page.working_ns), figures.blocked_ns);
  figures.first_end_ns = page.first_end_ns.load(std::memory_order_relaxed);
  figures.last_end_ns = page.last_end_ns.load(std::memory_order_relaxed);
  figures.rows_lost = get(worker.rows->lost);
  const shm::StageStats& stats = worker.stats[index];
  figures.items = get(stats.items);
  figures.samples = get(stats.samples);
  figures.errors = get(stats.errors);
  figures.timed = get(stats.timed);
  figures.timed_ns = get(stats.timed_ns);
  figures.total_ns = get(stats.total_ns);
  figures.age_ns = get(stats.age_ns);
  figures.min_ns = get(stats.min_ns);
  figures.max_ns = get(stats.max_ns);
  figures.histogram.reserve(shm::kBuckets);
  for (const auto& bucket : stats.histogram) {
    figures.histogram.push_back(get(bucket));
  }
  return figures;
}

namespace {

/// Of the stages at these positions together.
Figures sum_of(const shm::SupervisorView& view, std::span<const ProfileKey> keys,
               const std::vector<std::uint32_t>& positions) {
  Figures sum;
  for (const std::uint32_t at : positions) {
    const Figures one = read_figures(view, keys[at].worker, keys[at].index);
    if (one.items > 0) {
      sum.first_end_ns = sum.items > 0 ? std::min(sum.first_end_ns, one.first_end_ns) : one.first_end_ns;
      sum.last_end_ns = std::max(sum.last_end_ns, one.last_end_ns);
    }
    sum.items += one.items;
    sum.age_ns += one.age_ns;
  }
  return sum;
}

/// Of the group with which items leave: the one whose items are oldest, or youngest.
Figures figures_at(const shm::SupervisorView& view, std::span<const ProfileKey> keys, const ProfileKey::Ends& ends) {
  const auto age = [](const Figures& of) {
    return of.items > 0 ? static_cast<double>(of.age_ns) / static_cast<double>(of.items) : 0;
  };
  Figures chosen;
  for (const std::vector<std::uint32_t>& group : ends.groups) {
    Figures one = sum_of(view, keys, group);
    const bool leaves_with_it = ends.fastest ? age(one) < age(chosen) : age(one) > age(chosen);
    if (one.items > 0 && (chosen.items == 0 || leaves_with_it)) {
      chosen = std::move(one);
    }
  }
  return chosen;
}

}  // namespace

/// An item is in it from the end of the stage before it to the end of its own last stage; both keep the sum of their
/// items' ages there. Of what comes from the stages before, it may be a replica that gets a part: the mean age there is
/// that of all.
Figures derived_figures(const shm::SupervisorView& view, std::span<const ProfileKey> keys, const ProfileKey& key) {
  const Figures last = figures_at(view, keys, key.last);
  Figures figures{
      .items = last.items, .total_ns = last.age_ns, .first_end_ns = last.first_end_ns, .last_end_ns = last.last_end_ns};
  if (!key.before.groups.empty()) {
    const Figures before = figures_at(view, keys, key.before);
    const double came_out = before.items > 0 ? static_cast<double>(last.items) / static_cast<double>(before.items) : 0;
    figures.total_ns = minus(last.age_ns, static_cast<std::uint64_t>(static_cast<double>(before.age_ns) * came_out));
  }
  figures.histogram.resize(shm::kBuckets);
  return figures;
}

bool read_window(const shm::SupervisorView& view, const ProfileKey& key, std::uint64_t number, Figures& into) {
  const shm::StageStats::Window& window = view.workers.at(key.worker).stats[key.index].windows[number % 2];
  if (window.number.load(std::memory_order_acquire) != number) {
    return false;
  }
  into.min_ns = get(window.min_ns);
  into.max_ns = get(window.max_ns);
  return true;
}

}  // namespace pystream::profile
