#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pystream::plan {

/// `did you mean "..."?` with the candidate that is most similar to `word`; empty if none is close.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace pystream::plan
