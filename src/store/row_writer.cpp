#include "store/row_writer.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/clock.hpp"

namespace pystream::store {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kWorthATransaction = 4096;  ///< rows; fewer wait until they are old
constexpr std::uint64_t kRowsPerTransaction = 16384;
constexpr std::int64_t kOldNs = 500'000'000;
constexpr auto kLook = 100ms;
constexpr auto kTryAgain = 1ms;
constexpr std::int64_t kLastTries = 1'000'000'000;
constexpr int kNice = 1;

}  // namespace

RowWriter::RowWriter(const shm::ProfileConfig& config, const std::vector<RowRing>& rings) : config_(config) {
  for (const RowRing& ring : rings) {
    if (!ring.area->rows.empty()) {
      rings_.push_back({.worker = ring.worker, .page = ring.area->page, .rows = ring.area->rows});
    }
  }
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {  // the pipeline can do without; the profile counts what it misses
    complain(std::string("a thread that writes them cannot be started: ") + error.what());
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

RowWriter::~RowWriter() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void RowWriter::complain(const std::string& why) {
  if (!complained_) {
    complained_ = true;
    std::fprintf(stderr, "profile rows wait: %s\n", why.c_str());
  }
}

/// False if it has to be tried again soon.
bool RowWriter::write_waiting_rows(Ring& ring) {
  shm::RowPage& page = *ring.page;
  const std::uint64_t tail = page.tail.load(std::memory_order_relaxed);
  const std::uint64_t head = std::min(page.head.load(std::memory_order_acquire), tail + kRowsPerTransaction);
  if (head <= tail || head - tail > ring.rows.size()) {
    return true;
  }
  const std::uint64_t run = config_.run.load(std::memory_order_acquire);
  if (run == shm::kRunNotYet || run == shm::kNoRun) {
    return true;  // they wait
  }
  try {
    if (!store_) {
      const std::filesystem::path path(std::string_view(config_.path.data(), config_.path_bytes));
      store_ = std::make_unique<RowStore>(path, RowOrigin{.run = static_cast<std::int64_t>(run),
                                                          .start_ns = static_cast<std::int64_t>(config_.start_ns),
                                                          .max_history = config_.max_history});
    }
    const auto row = [&](std::uint64_t n) { return ring.rows[n & (ring.rows.size() - 1)]; };
    const auto result = store_->write(ring.worker, tail, head, row);
    if (!result) {
      return false;
    }
    page.history_shift.store(result->history_shift, std::memory_order_relaxed);
    page.tail.store(result->written, std::memory_order_release);
    complained_ = full_ = false;
    return true;
  } catch (const StoreError& error) {
    full_ = error.full();
    complain(error.what());
    return false;
  } catch (const std::exception& error) {
    complain(error.what());
    return false;
  }
}

/// Writes what is worth a transaction.
RowWriter::Look RowWriter::look(bool stopping) {
  Look seen;
  for (Ring& ring : rings_) {
    const std::int64_t now = base::now_ns();
    const std::uint64_t waiting = ring.waiting();
    if (waiting == 0) {
      ring.empty_at = now;
    } else if (stopping || waiting >= kWorthATransaction || now - ring.empty_at >= kOldNs) {
      const bool written = write_waiting_rows(ring);
      ring.empty_at = written ? now : ring.empty_at;
      seen.again |= !written;
      seen.more |= written && waiting > kRowsPerTransaction;
    }
  }
  return seen;
}

bool RowWriter::anything_waits() const {
  return std::any_of(rings_.begin(), rings_.end(), [](const Ring& ring) { return ring.waiting() > 0; });
}

void RowWriter::run() {
  ::pthread_setname_np(::pthread_self(), "pystream-rows");
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNice);
  for (Ring& ring : rings_) {
    ring.empty_at = base::now_ns();
  }
  std::int64_t give_up_at = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    const bool stopping = stopping_;
    lock.unlock();
    const Look seen = look(stopping);
    lock.lock();
    if (stopping) {
      const std::int64_t now = base::now_ns();
      give_up_at = give_up_at == 0 ? now + kLastTries : give_up_at;
      if ((seen.again && full_) || now >= give_up_at || !anything_waits()) {
        return;
      }
    }
    const auto pause = seen.again ? (complained_ ? 20 * kTryAgain : kTryAgain) : seen.more ? kTryAgain : kLook;
    wake_.wait_for(lock, pause, [&] { return stopping_ && !stopping; });
  }
}

}  // namespace pystream::store
