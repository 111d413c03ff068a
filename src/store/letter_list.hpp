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
};

auto fields(base::MaybeConst<LetterQuery> auto& q) {
  return std::tie(q.run, q.most);
}

struct ListedLetter {
  DeadLetter letter;
  std::string bytes;
};

auto fields(base::MaybeConst<ListedLetter> auto& l) {
  return std::tie(l.letter, l.bytes);
}

std::string encode(const LetterQuery& query);
std::vector<ListedLetter> decode_letters(std::string_view bytes);

/// The whole life of that process: reads a query from standard input, writes the letters to standard output. Returns
/// the exit code; what went wrong is on standard error.
int run_letter_list();

}  // namespace pystream::store
