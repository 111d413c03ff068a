#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pystream::plan {

/// `did you mean "..."?` with the candidate that `word` is most likely a slip of; empty if none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace pystream::plan
