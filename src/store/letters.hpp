#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/codec.hpp"
#include "store/database.hpp"
#include "store/store_lock.hpp"

/// Items that a stage could not process, kept with their bytes until somebody has dealt with them.
namespace pystream::store {

struct DeadLetter {
  std::int64_t id = 0;  ///< given by the database
  std::int64_t run = 0;
  double time = 0;    ///< Unix time
  std::string stage;  ///< key
  std::uint64_t sequence = 0;
  std::uint64_t input = 0;  ///< number on the stage's input link
  std::uint32_t part = 0;
  std::uint32_t attempts = 0;
  std::string reason;
  int signal = 0;  ///< that killed the stage; 0: it threw
  std::string stack;
  std::uint64_t size = 0;
  std::string file;  ///< large items: a file beside the database

  static void fields(auto& self, auto& code) {
    code(self.id, self.run, self.time, self.stage, self.sequence, self.input, self.part, self.attempts, self.reason);
    code(self.signal, self.stack, self.size, self.file);
  }
};

/// Items larger than this stand in a file beside the database.
inline constexpr std::uint64_t kLargestLetterInside = 1 << 20;

/// A run without a profile, which stands in the database only because it has dead letters.
struct UnprofiledRun {
  std::string name;
  std::uint64_t coordinator_pid = 0;
  double started = 0;  ///< Unix time

  static void fields(auto& self, auto& code) { code(self.name, self.coordinator_pid, self.started); }
};

/// Writes dead letters of one worker. Used by one thread.
class LetterStore {
 public:
  explicit LetterStore(const std::filesystem::path& database);

  /// The number of a run without a profile; with its first letter it gets one, and the database is made if there is
  /// none. nullopt: another process is writing, try again. Throws ProfilingError if there can be no database, else as
  /// try_store() does.
  [[nodiscard]] std::optional<std::int64_t> try_find_run(const UnprofiledRun& run);

  /// True once the letter is on the disk, also over a loss of power; a letter that is there already is not stored
  /// twice. False: another process is writing, try again with the same letter. Throws StoreError or std::system_error
  /// if it cannot be written now.
  [[nodiscard]] bool try_store(const DeadLetter& letter, std::span<const std::byte> bytes);

 private:
  std::string write_file(const DeadLetter& letter, std::span<const std::byte> bytes) const;
  void open(Database::Mode mode);

  std::filesystem::path path_;
  StoreLock lock_;
  std::unique_ptr<Database> database_;
  std::string file_;  ///< of the letter in work, once it is written; empty: none
};

/// Without their bytes; of all runs if `run` is none. `most`: the newest so many.
std::vector<DeadLetter> list_letters(Database& database, std::optional<std::int64_t> run,
                                     std::optional<std::uint64_t> most = {});
/// How many there are, by the name of the run's pipeline; those of runs that were deleted are under "".
std::map<std::string, std::uint64_t> count_letters(Database& database);
/// As a list of objects, with the stages' keys.
std::string to_json(const std::vector<DeadLetter>& letters);
/// Throws ProfilingError if there is no such letter.
DeadLetter read_letter(Database& database, std::int64_t id);
/// `most`: the first so many.
std::string read_letter_bytes(Database& database, std::int64_t id, std::optional<std::uint64_t> most = {});
/// With their files. Throws StoreError if the database cannot be written now.
void remove_letters(const std::filesystem::path& database, const std::vector<DeadLetter>& letters);

}  // namespace pystream::store
