#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "shm/segment.hpp"
#include "store/row_store.hpp"

namespace pystream::store {

/// A worker whose rows are to be written.
struct RowRing {
  std::uint32_t worker = 0;
  const shm::ProfileArea* area = nullptr;
};

/// The thread that takes rows of workers from shared memory into the database: of a worker in its own process, or of
/// all those that must not open the database in the profiler process's. Low priority; stages never wait for it. Every
/// signal is blocked in it.
class RowWriter {
 public:
  /// REQUIRES: this process was exec'd, and nobody else writes the rows of these workers.
  RowWriter(const shm::ProfileConfig& config, const std::vector<RowRing>& rings);
  /// Writes what is left, for at most a second; the profiler process writes the rest.
  ~RowWriter();
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;

 private:
  struct Ring {
    std::uint32_t worker = 0;
    shm::RowPage* page = nullptr;
    std::span<const shm::Row> rows;
    std::int64_t empty_at = 0;  ///< when nothing waited last

    std::uint64_t waiting() const {
      return page->head.load(std::memory_order_relaxed) - page->tail.load(std::memory_order_relaxed);
    }
  };
  /// What looking at the rings has come to.
  struct Look {
    bool again = false;  ///< something was not written, and has to be tried again soon
    bool more = false;   ///< more than one transaction's rows wait
  };

  void run();
  Look look(bool stopping);
  bool anything_waits() const;
  [[nodiscard]] bool write_waiting_rows(Ring& ring);
  void complain(const std::string& why);

  const shm::ProfileConfig& config_;
  std::vector<Ring> rings_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool complained_ = false;
  bool full_ = false;  ///< the disk is: waiting makes no room
  std::unique_ptr<RowStore> store_;
  std::thread thread_;
};

}  // namespace pystream::store
