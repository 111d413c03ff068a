#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <pystream/error.hpp>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

/// A thin layer over SQLite; database.cpp alone includes its header.
namespace pystream::store {

/// What SQLite says went wrong.
class StoreError : public ProfilingError {
 public:
  StoreError(const std::string& text, int code) : ProfilingError(text), code_(code) {}
  /// Another process holds the lock: try later.
  bool busy() const;
  /// The disk is full, or the database cannot be written for a reason that may pass.
  bool full() const;

 private:
  int code_;
};

class Database;

/// A prepared statement; used by one thread, outlived by its Database.
class Statement {
 public:
  Statement() = default;
  Statement(Database& database, std::string_view sql);

  Statement& bind(int index, std::int64_t value);
  Statement& bind(int index, std::uint64_t value) { return bind(index, static_cast<std::int64_t>(value)); }
  Statement& bind(int index, std::uint32_t value) { return bind(index, std::int64_t{value}); }
  Statement& bind(int index, int value) { return bind(index, std::int64_t{value}); }
  Statement& bind(int index, double value);
  Statement& bind(int index, std::string_view text);
  Statement& bind_blob(int index, std::span<const std::byte> bytes);
  Statement& bind_null(int index);

  /// True if there is a row. Resets itself after the last one.
  bool step();
  /// For statements that give no rows.
  void run();
  void reset();

  std::int64_t integer(int column) const;
  std::uint64_t number(int column) const { return static_cast<std::uint64_t>(integer(column)); }
  double real(int column) const;
  std::string text(int column) const;
  std::string blob(int column) const;
  bool is_null(int column) const;
  int columns() const;
  std::string column_name(int column) const;

 private:
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  void check(int code);

  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
};

class Database {
 public:
  enum class Mode { create, write, read };

  /// Opens with what profiles need: no checkpoint by itself, not at closing either, synchronous=NORMAL. Throws
  /// StoreError.
  Database(const std::filesystem::path& path, Mode mode);

  /// One or several statements without results.
  void execute(const std::string& sql);
  /// The first column of the first row; nullopt if there is no row.
  std::optional<std::int64_t> query_integer(const std::string& sql);
  /// The file was deleted or replaced: what is written here is lost.
  bool has_moved();
  /// Copies the log into the database; true if all of it could be. `truncate`: also empties the log file.
  /// REQUIRES: the StoreLock is held, and this is the profiler process.
  bool checkpoint(bool truncate);
  std::int64_t last_id() const;
  int changes() const;
  /// Ends every statement from now on with an error `milliseconds` from now, for readers that must not hold a snapshot
  /// for long: the log grows meanwhile.
  void limit_time(int milliseconds);
  /// How long to wait for SQLite's own locks.
  void set_patience(int milliseconds);

  sqlite3* handle() const { return handle_.get(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Closer {
    void operator()(sqlite3* handle) const;
  };
  std::filesystem::path path_;
  std::unique_ptr<std::int64_t> ends_;  ///< CLOCK_MONOTONIC in ns; at one address, which SQLite knows
  std::unique_ptr<sqlite3, Closer> handle_;
};

/// BEGIN IMMEDIATE; rolls back unless commit() was called.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace pystream::store
