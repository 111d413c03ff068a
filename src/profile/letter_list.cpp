#include "profile/letter_list.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iterator>

#include "profile/schema.hpp"
#include "profile/wire.hpp"

namespace pystream::profile {
namespace {

std::string read_input() {
  std::string input;
  char chunk[4096];
  for (std::size_t got = 0; (got = std::fread(chunk, 1, sizeof(chunk), stdin)) > 0;) {
    input.append(chunk, got);
  }
  return input;
}

LetterQuery decode_query(std::string_view bytes) {
  Decoder in(bytes);
  LetterQuery query;
  query.run.database = in.get<std::string>();
  query.run.number = in.get<std::int64_t>();
  query.run.unprofiled.coordinator_pid = in.get<std::uint64_t>();
  query.run.unprofiled.started = in.get<double>();
  query.most = in.get<std::uint64_t>();
  return query;
}

void put(Encoder& out, const DeadLetter& letter, std::string_view bytes) {
  out.put(letter.stage).put(letter.sequence).put(letter.attempts).put(letter.reason).put(letter.signal);
  out.put(letter.stack).put(bytes);
}

std::string letters_for(const LetterQuery& query) {
  Encoder out;
  if (!std::filesystem::exists(query.run.database)) {
    return out.put(std::uint64_t{0}).bytes();  // it is made with the first letter
  }
  Database database(query.run.database, Database::Mode::read);
  auto run = query.run.number != 0
                 ? std::optional(query.run.number)
                 : run_of(database, query.run.unprofiled.coordinator_pid, query.run.unprofiled.started);
  std::vector<DeadLetter> letters = run ? list_letters(database, run) : std::vector<DeadLetter>();
  letters.resize(std::min<std::uint64_t>(letters.size(), query.most));
  out.put(std::uint64_t{letters.size()});
  for (const DeadLetter& letter : letters) {
    put(out, letter, read_letter_bytes(database, letter.id));
  }
  return out.bytes();
}

}  // namespace

std::string encode(const LetterQuery& query) {
  Encoder out;
  out.put(query.run.database.native()).put(query.run.number).put(query.run.unprofiled.coordinator_pid);
  out.put(query.run.unprofiled.started).put(query.most);
  return out.bytes();
}

std::vector<ListedLetter> decode_letters(std::string_view bytes) {
  std::vector<ListedLetter> all;
  Decoder in(bytes);
  for (auto left = in.get<std::uint64_t>(); left > 0; --left) {
    ListedLetter& listed = all.emplace_back();
    listed.letter.stage = in.get<std::string>();
    listed.letter.sequence = in.get<std::uint64_t>();
    listed.letter.attempts = in.get<std::uint32_t>();
    listed.letter.reason = in.get<std::string>();
    listed.letter.signal = in.get<int>();
    listed.letter.stack = in.get<std::string>();
    listed.bytes = in.get<std::string>();
  }
  return all;
}

int run_letter_list() {
  try {
    const std::string letters = letters_for(decode_query(read_input()));
    if (std::fwrite(letters.data(), 1, letters.size(), stdout) != letters.size() || std::fflush(stdout) != 0) {
      throw ProfilingError("the dead letters could not be written to standard output");
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

}  // namespace pystream::profile
