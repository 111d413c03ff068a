#include "profile/row_writer.hpp"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "base/clock.hpp"

namespace pystream::profile {
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

RowWriter::RowWriter(const shm::ProfileConfig& config, const shm::ProfileArea& area, std::uint32_t worker)
    : config_(config), page_(*area.page), rows_(area.rows), worker_(worker) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

RowWriter::~RowWriter() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void RowWriter::complain(const std::string& why) {
  if (!complained_) {
    complained_ = true;
    std::fprintf(stderr, "profile rows wait: %s\n", why.c_str());
  }
}

/// False if it has to be tried again soon.
bool RowWriter::write_waiting_rows() {
  const std::uint64_t tail = page_.tail.load(std::memory_order_relaxed);
  const std::uint64_t head = std::min(page_.head.load(std::memory_order_acquire), tail + kRowsPerTransaction);
  if (head == tail) {
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
                                                          .worker = worker_,
                                                          .start_ns = static_cast<std::int64_t>(config_.start_ns),
                                                          .max_history = config_.max_history});
    }
    const auto result = store_->write(tail, head, [&](std::uint64_t n) { return rows_[n & (rows_.size() - 1)]; });
    if (!result) {
      return false;
    }
    page_.history_shift.store(result->history_shift, std::memory_order_relaxed);
    page_.tail.store(result->written, std::memory_order_release);
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

void RowWriter::run() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNice);
  std::int64_t empty_at = base::now_ns();
  std::int64_t give_up_at = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    const bool stopping = stopping_;
    lock.unlock();
    const std::int64_t now = base::now_ns();
    const std::uint64_t waiting =
        page_.head.load(std::memory_order_relaxed) - page_.tail.load(std::memory_order_relaxed);
    bool again = false;
    if (waiting == 0) {
      empty_at = now;
    } else if (stopping || waiting >= kWorthATransaction || now - empty_at >= kOldNs) {
      again = !write_waiting_rows();
      empty_at = again ? empty_at : now;
    }
    lock.lock();
    if (stopping) {
      give_up_at = give_up_at == 0 ? now + kLastTries : give_up_at;
      if ((again && full_) || now >= give_up_at ||
          page_.head.load(std::memory_order_relaxed) == page_.tail.load(std::memory_order_relaxed)) {
        return;
      }
    }
    const bool more = !again && waiting > kRowsPerTransaction;
    wake_.wait_for(lock,
                   again  ? (complained_ ? 20 * kTryAgain : kTryAgain)
                   : more ? 1ms
                          : kLook,
                   [&] { return stopping_ && !stopping; });
  }
}

}  // namespace pystream::profile
