#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "profile/store_rows.hpp"
#include "shm/segment.hpp"

namespace pystream::profile {

/// The thread that takes a worker's rows from shared memory into the database. Low priority; the worker's stages never
/// wait for it. Every signal is blocked in it.
class RowWriter {
 public:
  RowWriter(const shm::ProfileConfig& config, const shm::ProfileArea& area, std::uint32_t worker);
  /// Writes what is left, for at most a second; the bookkeeper writes the rest.
  ~RowWriter();
  RowWriter(const RowWriter&) = delete;
  RowWriter& operator=(const RowWriter&) = delete;

 private:
  void run();
  bool write_waiting_rows();
  void complain(const std::string& why);

  const shm::ProfileConfig& config_;
  shm::RowPage& page_;
  std::span<const shm::Row> rows_;
  std::uint32_t worker_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool complained_ = false;
  bool full_ = false;  ///< the disk is: waiting makes no room
  std::unique_ptr<RowStore> store_;
  std::thread thread_;
};

}  // namespace pystream::profile
