#pragma once

#include <cstddef>
#include <filesystem>
#include <pystream/dead_letter.hpp>
#include <vector>

#include "store/letter_desk.hpp"

namespace pystream::api {

/// Where the dead letters of one run are, while it runs and afterwards.
struct LetterSource {
  std::filesystem::path program;  ///< the worker program, which opens the database; empty: no letters are kept
  store::LetterRun run;

  /// The first `most`, oldest first. Throws ProfilingError if they cannot be read.
  std::vector<DeadLetter> read(std::size_t most) const;
};

}  // namespace pystream::api
