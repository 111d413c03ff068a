#include "plan/stage_names.hpp"

#include <algorithm>
#include <cctype>
#include <pystream/error.hpp>

#include "plan/json.hpp"
#include "plan/plan.hpp"
#include "plan/suggest.hpp"

namespace pystream::plan {
namespace {

const std::string& main_prefix() {
  static const std::string kPrefix = std::string(kMainPipeline).append(kSeparator);
  return kPrefix;
}

bool is_key_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == kReplica;
}

/// Not in the middle of a word, a path or a file name.
bool begins_word(std::string_view text, std::size_t at) {
  return at == 0 || (!is_key_character(text[at - 1]) && std::string_view("-./").find(text[at - 1]) == text.npos);
}

std::string with_dots(std::string_view levels) {
  std::string out(levels);
  for (std::size_t at = 0; (at = out.find(kSeparator, at)) != std::string::npos;) {
    out.replace(at, kSeparator.size(), ".");
  }
  return out;
}

/// As profile keys have them, without the main pipeline.
std::string levels_of(std::string_view name) {
  std::string out;
  for (const char c : name) {
    out.append(c == '.' || c == '/' ? kSeparator : std::string_view(&c, 1));
  }
  return out.starts_with(main_prefix()) ? out.substr(main_prefix().size()) : out;
}

bool ends_in(const std::string& levels, const std::string& last) {
  return levels == last || (!last.empty() && levels.ends_with(std::string(kSeparator) + last));
}

}  // namespace

std::string short_key(std::string_view key) {
  std::string out;
  std::size_t from = 0;
  for (std::size_t at = 0; (at = key.find(main_prefix(), at)) != std::string_view::npos;) {
    std::size_t end = at;
    while (end < key.size() && is_key_character(key[end])) {
      ++end;
    }
    if (begins_word(key, at)) {
      out.append(key.substr(from, at - from));
      out += with_dots(key.substr(at + main_prefix().size(), end - at - main_prefix().size()));
      from = end;
    }
    at = end;
  }
  return out.append(key.substr(from));
}

std::vector<std::string> keys_named(std::string_view name, std::span<const std::string> keys) {
  const std::string wanted = levels_of(name);
  const bool one_replica = wanted.find(kReplica) != std::string::npos;
  std::vector<std::string> found;
  for (const std::string& each : keys) {
    std::string key = one_replica ? each : without_replicas(each);
    const std::string levels = levels_of(key);
    if (levels == wanted) {
      return {std::move(key)};
    }
    if (ends_in(levels, wanted) && std::ranges::find(found, key) == found.end()) {
      found.push_back(std::move(key));
    }
  }
  return found;
}

std::string key_named(std::string_view name, std::span<const std::string> keys, std::string_view place) {
  std::vector<std::string> found = keys_named(name, keys);
  if (found.size() == 1) {
    return std::move(found.front());
  }
  if (found.empty()) {
    const std::string hint = name_hint(name, keys);
    throw Error("found the stage " + in_quotes(name) + ", expected a stage of " + std::string(place) +
                (hint.empty() ? "" : " (" + hint + ")"));
  }
  throw Error("found the stage " + in_quotes(name) + ", which may be " + listed(found) +
              "; expected one of these names");
}

std::string without_replicas(std::string_view key) {
  std::string out;
  for (std::size_t at = 0; at < key.size(); ++at) {
    if (key[at] != kReplica) {
      out += key[at];
      continue;
    }
    while (at + 1 < key.size() && std::isalnum(static_cast<unsigned char>(key[at + 1])) != 0) {
      ++at;
    }
  }
  return out;
}

std::string replicas_name(std::string_view key, std::uint32_t replicas) {
  return short_key(key) + (replicas > 1 ? " \u00d7" + std::to_string(replicas) : "");
}

std::string listed(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) {
    text += (text.empty() ? "" : &key == &keys.back() ? " and " : ", ") + with_dots(levels_of(key));
  }
  return text;
}

bool is_within(std::string_view key, std::string_view outer) {
  return key == outer || key.starts_with(std::string(outer).append(kSeparator));
}

std::string name_hint(std::string_view name, std::span<const std::string> keys) {
  std::vector<std::string> candidates;
  for (const std::string& key : keys) {
    const std::string shown = with_dots(levels_of(key));
    candidates.push_back(shown);
    if (const auto dot = shown.rfind('.'); dot != std::string::npos) {
      candidates.push_back(shown.substr(dot + 1));
    }
  }
  return did_you_mean(with_dots(levels_of(name)), candidates);
}

}  // namespace pystream::plan
