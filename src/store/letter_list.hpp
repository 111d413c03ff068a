#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/letter_desk.hpp"

/// Dead letters for a process that must not open the database itself: it asks a process that was exec'd for it.
namespace pystream::store {

struct LetterQuery {
  LetterRun run;
  std::uint64_t most = 0;  ///< the first so many

  static void fields(auto& self, auto& code) { code(self.run, self.most); }
};

struct ListedLetter {
  DeadLetter letter;
  std::string bytes;

  static void fields(auto& self, auto& code) { code(self.letter, self.bytes); }
};

/// The whole life of that process: reads a LetterQuery from standard input, writes a vector of ListedLetter to standard
/// output. Returns the exit code; what went wrong is on standard error.
int run_letter_list();

}  // namespace pystream::store
