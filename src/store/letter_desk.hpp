#pragma once

#include <optional>
#include <string>

#include "base/unique_fd.hpp"
#include "store/letters.hpp"

namespace pystream::store {

/// Where the letters of a run go.
struct LetterRun {
  std::filesystem::path database;
  std::int64_t number = 0;  ///< 0: a run without a profile, which gets its number with its first letter
  UnprofiledRun unprofiled{};

  static void fields(auto& self, auto& code) { code(self.database, self.number, self.unprofiled); }
};

/// Takes dead letters of one run in a process that was exec'd. Used by one thread.
class LetterDesk {
 public:
  explicit LetterDesk(LetterRun run) : run_(std::move(run)) {}

  struct Result {
    bool kept = false;      ///< on the disk
    bool hopeless = false;  ///< there can be no database, so trying again is in vain
    std::string why{};      ///< it is not kept; empty: another process is writing

    static void fields(auto& self, auto& code) { code(self.kept, self.hopeless, self.why); }
  };
  /// One try; after a failure the caller tries again with the same letter. `letter.run` is filled in here.
  [[nodiscard]] Result try_keep(DeadLetter letter, std::span<const std::byte> bytes);

 private:
  [[nodiscard]] bool try_store(DeadLetter& letter, std::span<const std::byte> bytes);

  LetterRun run_;
  std::optional<LetterStore> store_;
};

/// A letter on its way to another process, which answers with a LetterDesk::Result until it has kept it.
std::string encode(const LetterRun& run, const DeadLetter& letter, std::span<const std::byte> bytes);

/// The whole life of a process that keeps letters for one that must not open the database: takes one at a time from
/// the channel, tries until it is on the disk, and answers. Ends when the other end of the channel is closed. Returns
/// the exit code.
int run_letter_desk(base::UniqueFd channel);

}  // namespace pystream::store
