#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <vector>

#include "shm/profile_abi.hpp"
#include "store/database.hpp"
#include "store/store_lock.hpp"

namespace pystream::store {

/// Which run rows belong to.
struct RowOrigin {
  std::int64_t run = 0;
  std::int64_t start_ns = 0;  ///< of the run
  std::uint64_t max_history = 100'000;
};

/// Writes rows of a run's workers into the database, each exactly once: the cursor that says how many of a worker are
/// written changes in the same transaction. Used by one thread.
class RowStore {
 public:
  RowStore(const std::filesystem::path& database, const RowOrigin& origin);

  struct Result {
    std::uint64_t written = 0;        ///< rows before this one are in the database
    std::uint32_t history_shift = 0;  ///< only one item in 2^n is to have a row from now on
  };
  /// Writes the rows [from, head) of `worker`, where `row(n)` gives row n. nullopt: another process is writing, or the
  /// database is not there for the moment; nothing was written. Throws StoreError if it cannot be written.
  template <class Source>
  [[nodiscard]] std::optional<Result> write(std::uint32_t worker, std::uint64_t from, std::uint64_t head,
                                            const Source& row) {
    rows_.clear();
    if (!begin(worker)) {
      return std::nullopt;
    }
    const StoreLock::Held held(lock_);
    Transaction transaction(*database_);
    std::uint64_t at = std::max(from, cursor(worker));
    rows_.reserve(head > at ? head - at : 0);
    for (; at < head; ++at) {
      rows_.push_back(row(at));
    }
    const std::uint64_t written = std::max(at, head);
    const std::uint32_t shift = insert(worker, written);
    transaction.commit();
    return Result{.written = written, .history_shift = shift};
  }

 private:
  struct Stage {
    std::int64_t id = 0;
    std::uint64_t rows = 0;
    std::uint32_t shift = 0;
  };

  using Stages = std::map<std::uint32_t, Stage>;  ///< of one worker, by index in it

  [[nodiscard]] bool begin(std::uint32_t worker);
  void open();
  Stages read_stages(std::uint32_t worker);
  std::uint64_t cursor(std::uint32_t worker);
  std::uint32_t insert(std::uint32_t worker, std::uint64_t written);
  void insert_rows(const Stages& stages);
  void thin_out(Stage& stage);

  std::filesystem::path path_;
  RowOrigin origin_;
  StoreLock lock_;
  std::unique_ptr<Database> database_;
  Statement insert_many_;
  Statement insert_one_;
  Statement get_cursor_;
  Statement set_cursor_;
  Statement set_rows_;
  std::map<std::uint32_t, Stages> stages_;  ///< by worker
  std::vector<shm::Row> rows_;
};

}  // namespace pystream::store
