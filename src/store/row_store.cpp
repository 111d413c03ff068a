#include "store/row_store.hpp"

#include <algorithm>

#include "base/kill_point.hpp"
#include "profile/sampling.hpp"

namespace pystream::store {
namespace {

constexpr int kRowsAtOnce = 100;

std::string insert_statement(int rows) {
  std::string sql = "INSERT OR IGNORE INTO items(stage, sequence, input, start_ns, end_ns) VALUES ";
  for (int i = 0; i < rows; ++i) {
    sql += i == 0 ? "(?,?,?,?,?)" : ",(?,?,?,?,?)";
  }
  return sql;
}

}  // namespace

RowStore::RowStore(const std::filesystem::path& database, const RowOrigin& origin)
    : path_(database), origin_(origin), lock_(database) {}

void RowStore::open() {
  for (Statement* statement : {&insert_many_, &insert_one_, &get_cursor_, &set_cursor_, &set_rows_}) {
    *statement = Statement();
  }
  stages_.clear();
  database_.reset();
  auto database = std::make_unique<Database>(path_, Database::Mode::write);
  insert_many_ = Statement(*database, insert_statement(kRowsAtOnce));
  insert_one_ = Statement(*database, insert_statement(1));
  get_cursor_ = Statement(*database, "SELECT rows FROM row_cursors WHERE run = ? AND worker = ?");
  set_cursor_ = Statement(*database,
                          "INSERT INTO row_cursors(run, worker, rows) VALUES(?, ?, ?) "
                          "ON CONFLICT(run, worker) DO UPDATE SET rows = excluded.rows");
  set_rows_ = Statement(*database, "UPDATE stages SET rows = ?, sampled_shift = max(sampled_shift, ?) WHERE id = ?");
  database_ = std::move(database);
}

/// Empty while the profiler process has not written the run yet, or again.
RowStore::Stages RowStore::read_stages(std::uint32_t worker) {
  // A worker's stages stand in their order, and the main pipeline, which it tracks as its last, at another place.
  Statement keys(*database_,
                 "SELECT id, rows, sampled_shift FROM stages WHERE run = ? AND worker = ? "
                 "ORDER BY role = 'pipeline', position");
  keys.bind(1, origin_.run).bind(2, worker);
  Stages stages;
  std::uint32_t index = 0;
  while (keys.step()) {
    stages[index++] = {
        .id = keys.integer(0), .rows = keys.number(1), .shift = static_cast<std::uint32_t>(keys.integer(2))};
  }
  return stages;
}

/// True with the lock held, the database open and the worker's stages known.
bool RowStore::begin(std::uint32_t worker) {
  if (database_ && database_->has_moved()) {
    database_.reset();
  }
  if (!lock_.try_lock()) {
    return false;
  }
  try {
    if (!database_) {
      open();
    }
    if (!stages_.contains(worker)) {
      if (Stages stages = read_stages(worker); !stages.empty()) {
        stages_[worker] = std::move(stages);
        return true;
      }
      database_.reset();
    }
  } catch (...) {
    lock_.unlock();
    throw;
  }
  if (!database_) {
    lock_.unlock();
  }
  return database_ != nullptr;
}

std::uint64_t RowStore::cursor(std::uint32_t worker) {
  get_cursor_.bind(1, origin_.run).bind(2, worker);
  const std::uint64_t rows = get_cursor_.step() ? get_cursor_.number(0) : 0;
  get_cursor_.reset();
  return rows;
}

void RowStore::insert_rows(const Stages& stages) {
  const auto bind = [&](Statement& statement, int at, const shm::Row& row) {
    const auto stage = stages.find(row.stage());
    statement.bind(at + 1, stage != stages.end() ? stage->second.id : 0)
        .bind(at + 2, row.sequence)
        .bind(at + 3, row.input)
        .bind(at + 4, row.start_ns - origin_.start_ns)
        .bind(at + 5, row.start_ns - origin_.start_ns + static_cast<std::int64_t>(row.ns()));
  };
  std::size_t i = 0;
  for (; i + kRowsAtOnce <= rows_.size(); i += kRowsAtOnce) {
    for (int k = 0; k < kRowsAtOnce; ++k) {
      bind(insert_many_, 5 * k, rows_[i + static_cast<std::size_t>(k)]);
    }
    insert_many_.run();
  }
  for (; i < rows_.size(); ++i) {
    bind(insert_one_, 0, rows_[i]);
    insert_one_.run();
  }
}

/// Every second row of a stage goes.
void RowStore::thin_out(Stage& stage) {
  ++stage.shift;
  Statement remove(*database_, "DELETE FROM items WHERE stage = ? AND NOT pystream_sampled(sequence, ?)");
  remove.bind(1, stage.id).bind(2, stage.shift).run();
  Statement count(*database_, "SELECT count(*) FROM items WHERE stage = ?");
  count.bind(1, stage.id);
  stage.rows = count.step() ? count.number(0) : 0;
}

std::uint32_t RowStore::insert(std::uint32_t worker, std::uint64_t written) {
  Stages& stages = stages_.at(worker);
  const Stages before = stages;
  try {
    insert_rows(stages);
    for (const shm::Row& row : rows_) {
      if (const auto stage = stages.find(row.stage()); stage != stages.end()) {
        ++stage->second.rows;
      }
    }
    std::uint32_t shift = 0;
    for (auto& [index, stage] : stages) {
      while (stage.rows > origin_.max_history && stage.shift < 62) {
        thin_out(stage);
      }
      shift = std::max(shift, stage.shift);
      if (stage.rows != before.at(index).rows || stage.shift != before.at(index).shift) {
        set_rows_.bind(1, stage.rows).bind(2, stage.shift).bind(3, stage.id).run();
      }
    }
    set_cursor_.bind(1, origin_.run).bind(2, worker).bind(3, written).run();
    base::kill_point(base::KillPoint::in_transaction);
    return shift;
  } catch (...) {
    stages = before;
    throw;
  }
}

}  // namespace pystream::store
