#include "store/database.hpp"

#include <sqlite3.h>

#include "base/clock.hpp"
#include "profile/sampling.hpp"

namespace pystream::store {
namespace {

[[noreturn]] void fail(sqlite3* handle, const std::string& what, int code) {
  const std::string why = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  throw StoreError(what + ": " + why, code);
}

/// SQL: pystream_sampled(sequence, shift), see sampling.hpp.
void sampled_function(sqlite3_context* context, int, sqlite3_value** values) {
  const auto sequence = static_cast<std::uint64_t>(sqlite3_value_int64(values[0]));
  const auto shift = static_cast<std::uint32_t>(sqlite3_value_int64(values[1]));
  sqlite3_result_int(context, profile::is_sampled(sequence, profile::sampling_mask(shift)) ? 1 : 0);
}

int flags_of(Database::Mode mode) {
  switch (mode) {
    case Database::Mode::create:
      return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    case Database::Mode::write:
      return SQLITE_OPEN_READWRITE;
    case Database::Mode::read:
      break;
  }
  return SQLITE_OPEN_READONLY;
}

}  // namespace

bool StoreError::busy() const {
  return (code_ & 0xff) == SQLITE_BUSY || (code_ & 0xff) == SQLITE_LOCKED;
}

bool StoreError::full() const {
  return (code_ & 0xff) == SQLITE_FULL || (code_ & 0xff) == SQLITE_IOERR;
}

Statement::Statement(Database& database, std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  statement_.reset(statement);
  if (code != SQLITE_OK) {
    fail(database.handle(), "cannot prepare a statement for the profile database", code);
  }
}

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

void Statement::check(int code) {
  if (code != SQLITE_OK) {
    fail(sqlite3_db_handle(statement_.get()), "profile database", code);
  }
}

Statement& Statement::bind(int index, std::int64_t value) {
  check(sqlite3_bind_int64(statement_.get(), index, value));
  return *this;
}
Statement& Statement::bind(int index, double value) {
  check(sqlite3_bind_double(statement_.get(), index, value));
  return *this;
}
Statement& Statement::bind(int index, std::string_view text) {
  check(sqlite3_bind_text64(statement_.get(), index, text.data() == nullptr ? "" : text.data(), text.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}
Statement& Statement::bind_blob(int index, std::span<const std::byte> bytes) {
  static constexpr std::byte kNothing{};
  check(sqlite3_bind_blob64(statement_.get(), index, bytes.empty() ? &kNothing : bytes.data(), bytes.size(),
                            SQLITE_TRANSIENT));
  return *this;
}
Statement& Statement::bind_null(int index) {
  check(sqlite3_bind_null(statement_.get(), index));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) {
    return true;
  }
  sqlite3* handle = sqlite3_db_handle(statement_.get());
  const std::string why = code == SQLITE_DONE ? std::string() : sqlite3_errmsg(handle);
  const int extended = sqlite3_extended_errcode(handle);
  sqlite3_reset(statement_.get());
  if (code != SQLITE_DONE) {
    throw StoreError("profile database: " + why, extended);
  }
  return false;
}

void Statement::run() {
  while (step()) {
  }
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}
double Statement::real(int column) const {
  return sqlite3_column_double(statement_.get(), column);
}
bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}
int Statement::columns() const {
  return sqlite3_column_count(statement_.get());
}
std::string Statement::column_name(int column) const {
  return sqlite3_column_name(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  return data == nullptr ? std::string()
                         : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

std::string Statement::blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  return data == nullptr ? std::string()
                         : std::string(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column)));
}

void Database::Closer::operator()(sqlite3* handle) const {
  sqlite3_close_v2(handle);
}

Database::Database(const std::filesystem::path& path, Mode mode) : path_(path) {
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags_of(mode) | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) {
    fail(handle, "cannot open " + path.string(), code);
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  set_patience(mode == Mode::read ? 5000 : 200);
  sqlite3_create_function(handle, "pystream_sampled", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, sampled_function,
                          nullptr, nullptr);
  execute("PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;");
}

void Database::set_patience(int milliseconds) {
  sqlite3_busy_timeout(handle_.get(), milliseconds);
}

void Database::limit_time(int milliseconds) {
  constexpr int kSteps = 10'000;  // of SQLite's machine, some hundred microseconds
  ends_ = std::make_unique<std::int64_t>(base::now_ns() + std::int64_t{milliseconds} * 1'000'000);
  const auto is_over = [](void* ends) { return base::now_ns() > *static_cast<const std::int64_t*>(ends) ? 1 : 0; };
  sqlite3_progress_handler(handle_.get(), kSteps, is_over, ends_.get());
}

void Database::execute(const std::string& sql) {
  char* message = nullptr;
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, &message);
  if (code != SQLITE_OK) {
    const std::string why = message != nullptr ? message : sqlite3_errstr(code);
    sqlite3_free(message);
    throw StoreError(path_.string() + ": " + why, sqlite3_extended_errcode(handle_.get()));
  }
}

std::optional<std::int64_t> Database::query_integer(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? std::optional(statement.integer(0)) : std::nullopt;
}

bool Database::has_moved() {
  int moved = 0;
  sqlite3_file_control(handle_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  return moved != 0;
}

bool Database::checkpoint(bool truncate) {
  int log = 0;
  int copied = 0;
  const int code = sqlite3_wal_checkpoint_v2(
      handle_.get(), nullptr, truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &log, &copied);
  return code == SQLITE_OK && log == copied;
}

std::int64_t Database::last_id() const {
  return sqlite3_last_insert_rowid(handle_.get());
}
int Database::changes() const {
  return sqlite3_changes(handle_.get());
}

Transaction::Transaction(Database& database) : database_(database) {
  database.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (open_) {
    sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace pystream::store
