#include "store/letters.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>

#include "base/escaped_text.hpp"
#include "base/kill_point.hpp"
#include "base/system_error.hpp"
#include "base/unique_fd.hpp"
#include "shm/profile_abi.hpp"
#include "store/schema.hpp"

namespace pystream::store {
namespace {

constexpr const char* kColumns =
    "id, run, time, stage, sequence, input, part, attempts, reason, signal, stack, size, file";

constexpr int kRemoveMs = 10'000;

std::filesystem::path letters_folder(const std::filesystem::path& database) {
  return database.parent_path() / "dead_letters";
}

void write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno != EINTR) {
      base::throw_errno("cannot write a dead letter");
    }
    bytes = bytes.subspan(put > 0 ? static_cast<std::size_t>(put) : 0);
  }
}

void sync_folder(const std::filesystem::path& folder) {
  const base::UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) {
    base::throw_errno("cannot write to " + folder.string());
  }
}

/// Keys of stages in many pipelines inside one another are longer than a file's name may be.
std::string short_name(const std::string& key) {
  constexpr std::size_t kLongest = 120;
  return key.size() <= kLongest ? key : key.substr(0, kLongest) + "-" + std::to_string(std::hash<std::string>()(key));
}

DeadLetter letter_in(const Statement& row) {
  return {.id = row.integer(0),
          .run = row.integer(1),
          .time = row.real(2),
          .stage = row.text(3),
          .sequence = row.number(4),
          .input = row.number(5),
          .part = static_cast<std::uint32_t>(row.integer(6)),
          .attempts = static_cast<std::uint32_t>(row.integer(7)),
          .reason = row.text(8),
          .signal = static_cast<int>(row.integer(9)),
          .stack = row.text(10),
          .size = row.number(11),
          .file = row.text(12)};
}

}  // namespace

LetterStore::LetterStore(const std::filesystem::path& database) : path_(database), lock_(with_folder(database)) {}

/// Complete and on the disk under its name before the database tells of it.
std::string LetterStore::write_file(const DeadLetter& letter, std::span<const std::byte> bytes) const {
  const std::filesystem::path folder = letters_folder(path_);
  std::filesystem::create_directories(folder);
  const std::string name = "run-" + std::to_string(letter.run) + "-" + short_name(letter.stage) + "-" +
                           std::to_string(letter.input) + ".bin";
  const std::filesystem::path temporary = folder / (name + ".part");
  const base::UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd) {
    base::throw_errno("cannot create " + temporary.string());
  }
  write_all(fd.get(), bytes);
  if (::fsync(fd.get()) != 0) {
    base::throw_errno("cannot write " + temporary.string());
  }
  std::filesystem::rename(temporary, folder / name);
  sync_folder(folder);
  return "dead_letters/" + name;
}

void LetterStore::open(Database::Mode mode) {
  if (database_ && database_->has_moved()) {
    database_.reset();
  }
  if (!database_) {
    auto database = std::make_unique<Database>(path_, mode);
    database->execute("PRAGMA synchronous=FULL");  // a commit is on the disk when it returns
    database_ = std::move(database);
  }
}

std::optional<std::int64_t> LetterStore::try_find_run(const UnprofiledRun& run) {
  if (!lock_.try_lock()) {
    return std::nullopt;
  }
  const StoreLock::Held held(lock_);
  open(Database::Mode::create);
  migrate(*database_);
  Transaction transaction(*database_);
  std::optional<std::int64_t> number = run_of(*database_, run.coordinator_pid, run.started);
  if (!number) {
    Statement insert(*database_,
                     "INSERT INTO runs(name, plan, host, pid, version, started, outcome, start_ns, window_ns) "
                     "VALUES(?, '', ?, ?, ?, ?, 'unprofiled', 0, ?)");
    insert.bind(1, run.name).bind(2, host_name()).bind(3, run.coordinator_pid).bind(4, PYSTREAM_VERSION);
    insert.bind(5, run.started).bind(6, shm::kWindowNs).run();
    number = database_->last_id();
  }
  transaction.commit();
  return number;
}

bool LetterStore::try_store(const DeadLetter& letter, std::span<const std::byte> bytes) {
  const bool large = bytes.size() > kLargestLetterInside;
  if (large && file_.empty()) {
    file_ = write_file(letter, bytes);
  }
  if (!lock_.try_lock()) {
    return false;
  }
  const StoreLock::Held held(lock_);
  if (database_ && database_->has_moved()) {
    file_.clear();  // its folder may have gone as well
    database_.reset();
    return false;
  }
  open(Database::Mode::write);
  Transaction transaction(*database_);
  Statement insert(
      *database_,
      "INSERT OR IGNORE INTO dead_letters(run, time, stage, sequence, input, part, attempts, reason, signal, "
      "stack, size, bytes, file) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  const double time = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  insert.bind(1, letter.run).bind(2, time).bind(3, letter.stage).bind(4, letter.sequence).bind(5, letter.input);
  insert.bind(6, letter.part).bind(7, letter.attempts).bind(8, letter.reason).bind(9, letter.signal);
  insert.bind(10, letter.stack).bind(11, bytes.size()).bind(13, file_);
  if (large) {
    insert.bind_null(12);
  } else {
    insert.bind_blob(12, bytes);
  }
  insert.run();
  base::kill_point(base::KillPoint::in_transaction);
  transaction.commit();
  file_.clear();
  return true;
}

std::vector<DeadLetter> list_letters(Database& database, std::optional<std::int64_t> run,
                                     std::optional<std::uint64_t> most) {
  Statement rows(database,
                 std::string("SELECT * FROM (SELECT ") + kColumns +
                     " FROM dead_letters WHERE ?1 IS NULL OR run = ?1 ORDER BY id DESC LIMIT ?2) ORDER BY id");
  rows.bind(2, most ? static_cast<std::int64_t>(std::min<std::uint64_t>(*most, 1'000'000'000)) : std::int64_t{-1});
  if (run) {
    rows.bind(1, *run);
  }
  std::vector<DeadLetter> letters;
  while (rows.step()) {
    letters.push_back(letter_in(rows));
  }
  return letters;
}

std::map<std::string, std::uint64_t> count_letters(Database& database) {
  Statement rows(
      database,
      "SELECT coalesce(runs.name, ''), count(*) FROM dead_letters LEFT JOIN runs ON runs.id = run GROUP BY 1");
  std::map<std::string, std::uint64_t> counts;
  while (rows.step()) {
    counts[rows.text(0)] = rows.number(1);
  }
  return counts;
}

std::string to_json(const std::vector<DeadLetter>& letters) {
  std::string out = "[";
  for (const DeadLetter& letter : letters) {
    const auto number = [](const char* name, auto value) {
      return ", \"" + std::string(name) + "\": " + std::to_string(value);
    };
    out += (out.size() > 1 ? ",\n " : "") + std::string("{\"letter\": ") + std::to_string(letter.id) +
           number("run", letter.run) + ", \"time\": " + base::json_number(letter.time) +
           ", \"stage\": " + base::json_string(letter.stage) + number("item", letter.sequence) +
           number("part", letter.part) + number("attempts", letter.attempts) + number("size", letter.size) +
           number("signal", letter.signal) + ", \"reason\": " + base::json_string(letter.reason) + "}";
  }
  return out + "]\n";
}

DeadLetter read_letter(Database& database, std::int64_t id) {
  Statement row(database, std::string("SELECT ") + kColumns + " FROM dead_letters WHERE id = ?");
  row.bind(1, id);
  if (!row.step()) {
    throw ProfilingError("there is no dead letter " + std::to_string(id) + " in " + database.path().string());
  }
  return letter_in(row);
}

std::string read_letter_bytes(Database& database, std::int64_t id, std::optional<std::uint64_t> most) {
  const DeadLetter letter = read_letter(database, id);
  if (letter.file.empty()) {
    Statement row(database, "SELECT substr(bytes, 1, ?2) FROM dead_letters WHERE id = ?1");
    row.bind(1, id).bind(2, std::min(most.value_or(letter.size), letter.size));
    return row.step() ? row.blob(0) : std::string();
  }
  const std::filesystem::path path = database.path().parent_path() / letter.file;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw ProfilingError("the bytes of dead letter " + std::to_string(id) + " are missing: " + path.string());
  }
  std::string bytes(std::min(most.value_or(letter.size), letter.size), '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return bytes;
}

void remove_letters(const std::filesystem::path& database, const std::vector<DeadLetter>& letters) {
  StoreLock lock(database);
  if (!lock.lock_within(kRemoveMs)) {
    throw ProfilingError("the dead letters are not removed: " + database.string() + " is in use all the time");
  }
  const StoreLock::Held held(lock);
  {
    Database opened(database, Database::Mode::write);
    Transaction transaction(opened);
    Statement remove(opened, "DELETE FROM dead_letters WHERE id = ?");
    for (const DeadLetter& letter : letters) {
      remove.bind(1, letter.id).run();
    }
    transaction.commit();
  }
  for (const DeadLetter& letter : letters) {  // what a crash leaves here is a file that no letter names
    if (!letter.file.empty()) {
      std::filesystem::remove(database.parent_path() / letter.file);
    }
  }
}

}  // namespace pystream::store
