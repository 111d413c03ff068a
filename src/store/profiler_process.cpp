#include "store/profiler_process.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <string>

#include "base/clock.hpp"
#include "base/nonblocking_writer.hpp"
#include "base/process_start.hpp"
#include "profile/recorder.hpp"
#include "store/row_store.hpp"
#include "store/stored_summary.hpp"

namespace pystream::store {
namespace {

constexpr std::int64_t kLookNs = 100'000'000;
constexpr int kBeginMs = 30'000;
constexpr int kStartMs = 300;
constexpr std::int64_t kMomentNs = 8'000'000'000;  ///< another program may hold the database this long
constexpr int kWindowPatienceMs = 100;
constexpr int kLastPatienceMs = 5'000;
constexpr std::int64_t kLastRowsNs = 3'000'000'000;
constexpr std::int64_t kRetireAfterNs = 300'000'000;  ///< a start is busy enough
constexpr std::int64_t kLastRetiringNs = 500'000'000;

/// On the coordinator's standard error, which nobody has to read for a run to end.
void say(const std::string& text) {
  base::NonblockingWriter errors(STDERR_FILENO);
  errors.write(text + "\n");
  errors.flush_within(std::chrono::milliseconds(200));
}

void pause_ms(long milliseconds) {
  const timespec pause{.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1'000'000};
  ::nanosleep(&pause, nullptr);
}

}  // namespace

ProfilerProcess::ProfilerProcess(profile::Channel channel, const shm::Segment& segment)
    : channel_(std::move(channel)), segment_(segment), view_(segment.map_supervisor()) {}

int ProfilerProcess::run() {
  if (!begin()) {
    return 1;
  }
  serve();
  finish();
  channel_.send(profile::MessageType::done, {});
  return 0;
}

/// False if the database is busy or full just now.
bool ProfilerProcess::try_begin() {
  if (!store_->lock().lock_within(kLastPatienceMs)) {
    return false;
  }
  const StoreLock::Held held(store_->lock());
  try {
    store_->begin();
    return true;
  } catch (const StoreError& error) {
    if (!error.busy() && !error.full()) {
      throw;
    }
    return false;
  }
}

/// Workers run already, and their rows wait.
bool ProfilerProcess::begin() {
  const auto message = channel_.receive_within(kBeginMs);
  if (!message || message->type != profile::MessageType::begin) {
    return false;
  }
  try {
    info_ = base::decode<profile::RunInfo>(message->body);
    // Workers that start need the processors more.
    channel_.receive_within(kStartMs);
    if (channel_.closed()) {
      return false;
    }
    std::vector<std::uint64_t> ring_bytes;
    for (plan::LinkId id = 0; id < info_.topology.links.size(); ++id) {
      ring_bytes.push_back(segment_.link(id).ring_bytes);
    }
    store_.emplace(info_, std::move(ring_bytes));
    const std::string held = "another program, or this one, holds " + info_.database.string() + ", or its disk is full";
    bool told = false;
    for (const std::int64_t since = base::now_ns(); !try_begin();) {
      channel_.send(profile::MessageType::held, held);
      if (!told && base::now_ns() - since > kMomentNs) {
        told = true;
        say("the profile waits: " + held);
      }
      if (channel_.receive(); channel_.closed()) {
        return false;
      }
      pause_ms(100);
    }
    links_.resize(info_.topology.item_links().size());
    const RunStore::Written before = store_->read_written();
    written_ = before.keys;
    for (std::size_t i = 0; i < links_.size(); ++i) {
      links_[i].last = before.links.at(i);
    }
    last_write_ns_ = before.until_ns.value_or(began_ns_);
    next_window_ns_ = (base::now_ns() / shm::kWindowNs + 1) * shm::kWindowNs;
    start_row_writer();
    view_.config->run.store(static_cast<std::uint64_t>(store_->run()), std::memory_order_release);
    // A coordinator that died meanwhile does not hear it; the run has begun all the same, and serve() ends it.
    channel_.send(profile::MessageType::ready, base::Encoder().put(store_->run()).put(before.events).put("").bytes());
    return true;
  } catch (const std::exception& error) {
    channel_.send(profile::MessageType::ready,
                  base::Encoder().put(std::int64_t{0}).put(std::uint64_t{0}).put(error.what()).bytes());
    return false;
  }
}

/// For workers that do not write their rows themselves.
void ProfilerProcess::start_row_writer() {
  std::vector<RowRing> rings;
  for (plan::WorkerId id = 0; id < info_.topology.workers.size(); ++id) {
    if (!info_.workers_write_rows || info_.topology.workers[id].external) {
      ends_.push_back(segment_.map_worker(id));
      rings.push_back({.worker = id, .area = &ends_.back().profile});
    }
  }
  if (!rings.empty()) {
    row_writer_.emplace(*view_.config, rings);
  }
}

void ProfilerProcess::serve() {
  while (true) {
    while (const auto message = channel_.receive()) {
      if (!handle(*message)) {
        return;
      }
    }
    if (channel_.closed()) {
      pause_ms(300);  // the coordinator died, and its workers die with it
      return;
    }
    look_at_links();
    const std::int64_t now = base::now_ns();
    if (now >= next_window_ns_) {
      close_window(now);
    }
    retire_old_runs();
    pollfd poll{.fd = channel_.fd(), .events = POLLIN, .revents = 0};
    const std::int64_t left = std::min(kLookNs, next_window_ns_ - base::now_ns());
    ::poll(&poll, 1, static_cast<int>(std::max<std::int64_t>((left + 999'999) / 1'000'000, 0)));
  }
}

bool ProfilerProcess::handle(const profile::Message& message) {
  switch (message.type) {
    case profile::MessageType::event:
      events_.push_back(base::decode<profile::Event>(message.body));
      return true;
    case profile::MessageType::profiles:
      answer_profiles();
      return true;
    case profile::MessageType::end: {
      base::Decoder(message.body)(outcome_, reason_, restarts_);
      return false;
    }
    default:
      return true;
  }
}

void ProfilerProcess::look_at_links() {
  for (std::uint32_t i = 0; i < links_.size(); ++i) {
    const profile::LinkFigures figures = profile::read_link(segment_, view_, i);
    LinkWatch& watch = links_[i];
    ++watch.looks;
    watch.fill_items += static_cast<double>(figures.fill_items);
    watch.fill_bytes += static_cast<double>(figures.fill_bytes);
    watch.largest_fill_bytes = std::max(watch.largest_fill_bytes, figures.fill_bytes);
    watch.fill += figures.fill;
    watch.oldest_ns = std::max(watch.oldest_ns, figures.oldest_ns);
  }
}

void ProfilerProcess::close_window(std::int64_t now) {
  const auto number = static_cast<std::uint64_t>((next_window_ns_ - store_->start_ns()) / shm::kWindowNs - 1);
  write_windows(number, now, kWindowPatienceMs);
  next_window_ns_ = (now / shm::kWindowNs + 1) * shm::kWindowNs;
  try {
    store_->checkpoint(false);
  } catch (const std::exception&) {  // a full disk: the log grows no further either
  }
}

/// A bit at a time: the workers' writers need the lock too.
void ProfilerProcess::retire_old_runs() {
  if (!retiring_ || base::now_ns() - began_ns_ < kRetireAfterNs || !store_->lock().try_lock()) {
    return;
  }
  const StoreLock::Held held(store_->lock());
  try {
    retiring_ = store_->retire_a_bit();
  } catch (const std::exception&) {  // the next run tries again
    retiring_ = false;
  }
}

/// A run too short to have done it beside its work must not leave it to the next one, which may be as short.
void ProfilerProcess::retire_at_the_end() {
  const std::int64_t until = base::now_ns() + kLastRetiringNs;
  while (retiring_ && base::now_ns() < until && store_->lock().lock_within(kWindowPatienceMs)) {
    const StoreLock::Held held(store_->lock());
    retiring_ = store_->retire_a_bit();
  }
}

void ProfilerProcess::reopen_if_moved() {
  if (store_->has_moved()) {
    store_->begin();
    written_.clear();
  }
}

/// What was not written stays in `written_` as it is, and the next window covers the time since. False if the database
/// does not take it.
bool ProfilerProcess::write_windows(std::uint64_t number, std::int64_t now, int patience_ms) {
  if (!store_->lock().lock_within(patience_ms)) {
    return false;
  }
  const StoreLock::Held held(store_->lock());
  try {
    reopen_if_moved();
    std::map<std::size_t, RunStore::KeyWindow> keys;
    for (std::size_t i = 0; i < store_->keys().size(); ++i) {
      const profile::ProfileKey& key = store_->keys()[i];
      RunStore::KeyWindow window{.total = key.derived() ? profile::derived_figures(view_, store_->keys(), key)
                                                        : profile::read_figures(view_, key.worker, key.index),
                                 .window = {}};
      window.window = window.total.since(written_[i]);
      if (!key.derived() && now - last_write_ns_ < 2 * shm::kWindowNs) {
        profile::read_window(view_, key, static_cast<std::uint64_t>(store_->start_ns() / shm::kWindowNs) + number,
                             window.window);
      }
      if (window.window.any()) {
        keys[i] = std::move(window);
      }
    }
    std::vector<RunStore::LinkWindow> links;
    for (std::uint32_t i = 0; i < links_.size(); ++i) {
      const profile::LinkFigures figures = profile::read_link(segment_, view_, i);
      const LinkWatch& watch = links_[i];
      const double looks = static_cast<double>(std::max<std::uint64_t>(watch.looks, 1));
      links.push_back({.total = figures,
                       .items = figures.items - std::min(figures.items, watch.last.items),
                       .dropped = figures.dropped - std::min(figures.dropped, watch.last.dropped),
                       .fill_items = watch.fill_items / looks,
                       .fill_bytes = watch.fill_bytes / looks,
                       .largest_fill_bytes = watch.largest_fill_bytes,
                       .fill = watch.fill / looks,
                       .oldest_ns = watch.oldest_ns});
    }
    Transaction transaction(store_->database());
    store_->write_windows(number, now - last_write_ns_, keys, links);
    store_->write_events(events_);
    transaction.commit();
    for (auto& [index, window] : keys) {
      written_[index] = std::move(window.total);
    }
    for (std::size_t i = 0; i < links_.size(); ++i) {
      links_[i] = {.last = links[i].total};
    }
    const std::uint64_t events = events_.size();
    events_.clear();
    last_write_ns_ = now;
    if (events > 0) {
      channel_.send(profile::MessageType::written, base::encode(events));
    }
    return true;
  } catch (const std::exception& error) {
    return false;
  }
}

/// Counts what dead workers had committed and not yet counted. REQUIRES: no worker runs any more.
void ProfilerProcess::recover_workers() {
  for (plan::WorkerId id = 0; id < info_.topology.workers.size(); ++id) {
    const plan::WorkerSpec& worker = info_.topology.workers[id];
    if (worker.external) {
      continue;
    }
    const shm::WorkerEnd end = segment_.map_worker(id);
    profile::RowQueue rows(end.profile, true, end.config->rows_per_second);
    for (std::size_t i = 0; i < worker.segments.size() && i < end.profile.segments.size(); ++i) {
      const shm::ProducerPage& page = *view_.links.at(worker.segments[i].outputs.front()).producer;
      const std::uint64_t position = page.write_position.load(std::memory_order_acquire);
      for (const shm::JournalEntry& entry : page.journal) {
        if (entry.write_position == position) {
          profile::Recorder(end.profile.segments[i], end.stats, 0, static_cast<std::uint32_t>(end.stats.size()), rows)
              .recover(entry.inputs_done.load(std::memory_order_relaxed));
        }
      }
    }
  }
}

/// Of a worker that has ended.
void ProfilerProcess::write_left_rows(std::uint32_t id, std::int64_t give_up_at) {
  const shm::WorkerEnd end = segment_.map_worker(id);
  const shm::ProfileArea& area = end.profile;
  const std::uint64_t tail = area.page->tail.load(std::memory_order_acquire);
  const std::uint64_t head = area.page->head.load(std::memory_order_acquire);
  if (head == tail || head - tail > area.rows.size()) {
    return;
  }
  RowStore rows(info_.database,
                {.run = store_->run(), .start_ns = store_->start_ns(), .max_history = info_.retention.max_history});
  std::optional<RowStore::Result> written;
  bool hopeless = false;
  do {
    try {
      written = rows.write(id, tail, head, [&](std::uint64_t n) { return area.rows[n & (area.rows.size() - 1)]; });
    } catch (const StoreError& error) {
      hopeless = error.full();  // waiting makes no room
    } catch (const std::exception&) {
    }
    if (!written && !hopeless) {
      pause_ms(5);
    }
  } while (!written && !hopeless && base::now_ns() < give_up_at);
  if (written) {
    area.page->history_shift.store(written->history_shift, std::memory_order_relaxed);
    area.page->tail.store(head, std::memory_order_release);
  }
}

/// REQUIRES: no worker runs any more.
void ProfilerProcess::write_all_left_rows() {
  const std::int64_t give_up_at = base::now_ns() + kLastRowsNs;
  for (std::uint32_t id = 0; id < info_.topology.workers.size(); ++id) {
    write_left_rows(id, give_up_at);
    const shm::WorkerEnd end = segment_.map_worker(id);
    const std::uint64_t left = end.profile.page->head.load() - end.profile.page->tail.load();
    end.profile.page->lost.fetch_add(std::min<std::uint64_t>(left, end.profile.rows.size()), std::memory_order_relaxed);
  }
}

void ProfilerProcess::tell_of_lost_rows() const {
  std::uint64_t lost = 0;
  for (const shm::SupervisorView::Worker& worker : view_.workers) {
    lost += worker.rows->lost.load(std::memory_order_relaxed);
  }
  if (lost > 0) {
    say(std::to_string(lost) + " rows of single items are not in the profile database: it could not take them");
  }
}

void ProfilerProcess::finish() {
  row_writer_.reset();
  recover_workers();
  write_all_left_rows();
  tell_of_lost_rows();
  look_at_links();
  const std::int64_t now = base::now_ns();
  const auto number = static_cast<std::uint64_t>((now - store_->start_ns()) / shm::kWindowNs);
  bool written = false;
  for (int i = 0; i < 3 && !written; ++i) {
    written = write_windows(number, now, kLastPatienceMs);
  }
  if (!written) {
    say("the end of this run is not in the profile database: it could not be written");
    return;
  }
  try {
    if (store_->lock().lock_within(kLastPatienceMs)) {
      const StoreLock::Held held(store_->lock());
      Transaction transaction(store_->database());
      store_->write_restarts(restarts_);
      store_->end(outcome_, reason_);
      transaction.commit();
    } else {
      say("the end of this run is not in the profile database: another program holds it");
    }
    retire_at_the_end();
    store_->checkpoint(true);
  } catch (const std::exception& error) {
    say(std::string("the end of this run is not in the profile database: ") + error.what());
  }
}

void ProfilerProcess::answer_profiles() {
  const std::int64_t now = base::now_ns();
  write_windows(static_cast<std::uint64_t>((now - store_->start_ns()) / shm::kWindowNs), now, kWindowPatienceMs);
  std::string body;
  try {
    body = base::encode(read_summary(store_->database(), store_->run()));
  } catch (const std::exception&) {
  }
  channel_.send(profile::MessageType::profiles, body);
}

int run_profiler_process(base::UniqueFd channel, base::UniqueFd segment_fd) {
  for (const int ignored : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) {
    std::signal(ignored, SIG_IGN);
  }
  ::prctl(PR_SET_NAME, "pystream-books");
  base::unblock_all_signals();
  try {
    const shm::Segment segment = shm::Segment::attach(std::move(segment_fd));
    return ProfilerProcess(profile::Channel(std::move(channel)), segment).run();
  } catch (const std::exception& error) {
    say(std::string("profiler: ") + error.what());
    return 1;
  }
}

}  // namespace pystream::store
