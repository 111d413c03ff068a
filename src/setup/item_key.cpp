#include "setup/item_key.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <string>
#include <string_view>
#include <variant>

#include "plan/json.hpp"

namespace pystream::setup {
namespace {

std::string_view text_of(std::span<const std::byte> item) {
  return {reinterpret_cast<const char*>(item.data()), item.size()};
}

/// Column `wanted`, from 1, of those between runs of white space.
std::string_view word(std::string_view line, std::uint64_t wanted) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  for (std::size_t at = line.find_first_not_of(kSpace); at != std::string_view::npos;
       at = line.find_first_not_of(kSpace, at)) {
    const std::size_t end = std::min(line.find_first_of(kSpace, at), line.size());
    if (--wanted == 0) {
      return line.substr(at, end - at);
    }
    at = end;
  }
  return {};
}

/// Column `wanted`, from 1, of those between separators.
std::string_view field(std::string_view line, std::uint64_t wanted, std::string_view separator) {
  for (; wanted > 1; --wanted) {
    const std::size_t at = line.find(separator);
    if (at == std::string_view::npos) {
      return {};
    }
    line.remove_prefix(at + separator.size());
  }
  return line.substr(0, line.find(separator));
}

std::string_view part(std::string_view item, std::uint64_t offset, std::uint64_t bytes) {
  return offset < item.size() ? item.substr(offset, bytes) : std::string_view();
}

/// "a/b" for "a~1b", as RFC 6901 has it.
std::string unescaped(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escaped = token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1');
    text += !escaped ? token[i] : token[++i] == '1' ? '/' : '~';
  }
  return text;
}

const ParamValue* element(const ParamValue& value, const std::string& token) {
  const auto* list = std::get_if<ParamList>(&value);
  if (list == nullptr) {
    return plan::find_key(value, token);
  }
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
  return error == std::errc() && end == token.data() + token.size() && index < list->size() ? &(*list)[index] : nullptr;
}

std::string json_value(std::string_view item, std::string_view pointer) {
  const plan::ParsedJson document = plan::parse_json(item);
  const ParamValue* value = document.complete ? &document.value : nullptr;
  while (value != nullptr && !pointer.empty()) {
    pointer.remove_prefix(1);  // '/'
    const std::size_t end = std::min(pointer.find('/'), pointer.size());
    value = element(*value, unescaped(pointer.substr(0, end)));
    pointer.remove_prefix(end);
  }
  return value != nullptr ? plan::dump_json(*value, -1) : std::string();
}

std::uint64_t hash_of(std::span<const std::byte> item, const plan::ItemKey& key) {
  using In = plan::ItemKey::In;
  const std::string_view text = text_of(item);
  switch (key.in) {
    case In::item:
      return detail::hash_key(text);
    case In::column:
      return detail::hash_key(key.separator.empty() ? word(text, key.column) : field(text, key.column, key.separator));
    case In::bytes:
      return detail::hash_key(part(text, key.offset, key.bytes));
    case In::json:
      return detail::hash_key(json_value(text, key.pointer));
  }
  return 0;
}

}  // namespace

shm::KeyOf key_of(const plan::LinkSpec& link) {
  if (link.sharing != Sharing::key) {
    return {};
  }
  const plan::SharePolicy& share = link.shared_by->share;
  if (share.call) {
    return share.call->of;
  }
  return [key = share.key](std::span<const std::byte> item) { return hash_of(item, key); };
}

}  // namespace pystream::setup
