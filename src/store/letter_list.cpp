#include "store/letter_list.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>

#include "base/codec.hpp"
#include "store/schema.hpp"

namespace pystream::store {
namespace {

std::string read_input() {
  std::string input;
  char chunk[4096];
  for (std::size_t got = 0; (got = std::fread(chunk, 1, sizeof(chunk), stdin)) > 0;) {
    input.append(chunk, got);
  }
  return input;
}

std::vector<ListedLetter> letters_for(const LetterQuery& query) {
  if (!std::filesystem::exists(query.run.database)) {
    return {};  // it is made with the first letter
  }
  Database database(query.run.database, Database::Mode::read);
  auto run = query.run.number != 0
                 ? std::optional(query.run.number)
                 : run_of(database, query.run.unprofiled.coordinator_pid, query.run.unprofiled.started);
  std::vector<DeadLetter> letters = run ? list_letters(database, run) : std::vector<DeadLetter>();
  letters.resize(std::min<std::uint64_t>(letters.size(), query.most));
  std::vector<ListedLetter> listed;
  for (DeadLetter& letter : letters) {
    std::string bytes = read_letter_bytes(database, letter.id);
    listed.push_back({.letter = std::move(letter), .bytes = std::move(bytes)});
  }
  return listed;
}

}  // namespace

int run_letter_list() {
  try {
    const std::string letters = base::encode(letters_for(base::decode<LetterQuery>(read_input())));
    if (std::fwrite(letters.data(), 1, letters.size(), stdout) != letters.size() || std::fflush(stdout) != 0) {
      throw ProfilingError("the dead letters could not be written to standard output");
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace pystream::store
