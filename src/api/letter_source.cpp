#include "api/letter_source.hpp"

#include <algorithm>

#include "base/child_process.hpp"
#include "base/codec.hpp"
#include "store/letter_list.hpp"

namespace pystream::api {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 30;
constexpr std::chrono::minutes kPatience(1);

DeadLetter public_letter(const store::ListedLetter& listed) {
  DeadLetter letter{.stage = listed.letter.stage,
                    .sequence = listed.letter.sequence,
                    .attempts = listed.letter.attempts,
                    .reason = listed.letter.reason,
                    .signal = listed.letter.signal,
                    .stack = listed.letter.stack,
                    .bytes = std::vector<std::byte>(listed.bytes.size())};
  std::transform(listed.bytes.begin(), listed.bytes.end(), letter.bytes.begin(),
                 [](char byte) { return static_cast<std::byte>(byte); });
  return letter;
}

}  // namespace

std::vector<DeadLetter> LetterSource::read(std::size_t most) const {
  if (program.empty()) {
    throw ProfilingError(
        "this pipeline stores no dead letters, because the worker program was not found; see the warning "
        "at its start");
  }
  const base::ChildResult result = base::run_child({.arguments = {program.string(), "list-letters"},
                                                    .input = base::encode(store::LetterQuery{.run = run, .most = most}),
                                                    .deadline = kPatience,
                                                    .output_limit = kMostBytes});
  if (result.end == base::ChildResult::End::wrote_too_much) {
    throw ProfilingError("the dead letters are larger than 1 GiB together; ask for fewer");
  }
  if (!result.may_have_succeeded()) {
    throw ProfilingError("the dead letters cannot be read from " + run.database.string() + ": " +
                         (result.errors.empty() ? program.string() + " " + base::describe_end(result) : result.errors));
  }
  std::vector<DeadLetter> letters;
  for (const store::ListedLetter& listed : base::decode<std::vector<store::ListedLetter>>(result.output)) {
    letters.push_back(public_letter(listed));
  }
  return letters;
}

}  // namespace pystream::api
