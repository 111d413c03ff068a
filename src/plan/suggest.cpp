#include "plan/suggest.hpp"

#include <algorithm>
#include <cctype>
#include <limits>
#include <numeric>

namespace pystream::plan {
namespace {

/// Longer words are no misspellings, and computing the distance takes time and memory.
constexpr std::size_t kMaxWord = 64;

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// Insertions, deletions, replacements and swaps of neighbours that make `b` of `a`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

/// What follows the last "." or "__".
std::string_view last_part(std::string_view name) {
  name = name.substr(name.rfind('.') + 1);
  const auto separator = name.rfind("__");
  return separator == std::string_view::npos ? name : name.substr(separator + 2);
}

/// "gray" for "image.gray", "Resize" for "Enhance__Resize", and the other way round.
bool same_but_for_group(std::string_view a, std::string_view b) {
  return (last_part(a) == a || last_part(b) == b) && last_part(a) == last_part(b);
}

}  // namespace

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.empty() || word.size() > kMaxWord) {
    return {};
  }
  const std::string wanted = lower(word);
  const std::size_t limit = std::max<std::size_t>(1, wanted.size() / 3);
  const std::string* best = nullptr;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  for (const std::string& candidate : candidates) {
    if (candidate.empty() || candidate.size() > 2 * kMaxWord) {
      continue;
    }
    const std::string known = lower(candidate);
    const std::size_t distance = same_but_for_group(wanted, known) ? 0 : edit_distance(wanted, known);
    if (distance <= limit && distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best == nullptr ? std::string() : "did you mean \"" + *best + "\"?";
}

}  // namespace pystream::plan
