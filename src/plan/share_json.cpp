#include "plan/share_json.hpp"

#include <utility>

#include "plan/json.hpp"
#include "plan/object_reader.hpp"
#include "plan/plan_keys.hpp"

namespace pystream::plan {
namespace {

constexpr const char* kExpected = "\"turn\", \"least_loaded\" or {\"key\": {…}}";

/// Of the ways to say where a key stands, the one that is given.
class KeyReader {
 public:
  KeyReader(const ParamValue& value, std::string where, std::vector<PlanFault>& faults)
      : where_(where), reader_(value, std::move(where), share_key_keys(), faults) {}

  ItemKey read() {
    ItemKey key;
    use("column", ItemKey::In::column, key);
    use("bytes", ItemKey::In::bytes, key);
    use("json", ItemKey::In::json, key);
    reader_.read("column", key.column);
    reader_.read("separator", key.separator);
    reader_.read("offset", key.offset);
    reader_.read("bytes", key.bytes);
    reader_.read("json", key.pointer);
    expect_beside("separator", "column", key.in == ItemKey::In::column);
    expect_beside("offset", "bytes", key.in == ItemKey::In::bytes);
    if (key.in == ItemKey::In::json && !key.pointer.empty() && key.pointer.front() != '/') {
      add_fault("json", in_quotes(key.pointer), "a JSON pointer, which begins with \"/\": \"/user/id\"");
    }
    return key;
  }

 private:
  void use(const char* name, ItemKey::In in, ItemKey& key) {
    if (reader_.find(name) == nullptr) {
      return;
    }
    if (key.in != ItemKey::In::item) {
      add_fault(name, "a second place for the key", "one of \"column\", \"bytes\" and \"json\"");
    }
    key.in = in;
  }

  void expect_beside(const char* name, const char* other, bool holds) {
    if (reader_.find(name) != nullptr && !holds) {
      add_fault(name, in_quotes(name) + " alone", in_quotes(other) + " beside it");
    }
  }

  void add_fault(const char* name, std::string found, std::string expected) {
    reader_.add_fault(
        {.where = pointer_to(where_, name), .found = std::move(found), .expected = std::move(expected), .hint = {}});
  }

  std::string where_;
  ObjectReader reader_;
};

ParamValue number(std::uint64_t value) {
  return ParamValue(static_cast<std::int64_t>(value));
}

ParamMap key_object(const ItemKey& key) {
  switch (key.in) {
    case ItemKey::In::item:
      break;
    case ItemKey::In::column:
      return key.separator.empty() ? ParamMap{{"column", number(key.column)}}
                                   : ParamMap{{"column", number(key.column)}, {"separator", ParamValue(key.separator)}};
    case ItemKey::In::bytes:
      return {{"offset", number(key.offset)}, {"bytes", number(key.bytes)}};
    case ItemKey::In::json:
      return {{"json", ParamValue(key.pointer)}};
  }
  return {};
}

}  // namespace

SharePolicy read_share(const ParamValue& value, const std::string& where, std::vector<PlanFault>& faults) {
  SharePolicy share;
  const auto* word = std::get_if<std::string>(&value);
  for (const ShareBy by : {ShareBy::turn, ShareBy::least_loaded}) {
    if (word != nullptr && *word == to_string(by)) {
      share.by = by;
      return share;
    }
  }
  if (!std::holds_alternative<ParamMap>(value)) {
    faults.push_back({.where = where, .found = describe(value), .expected = kExpected, .hint = {}});
    return share;
  }
  const ObjectReader reader(value, where, share_keys(), faults);
  if (const ParamValue* key = reader.find("key")) {
    share.by = ShareBy::key;
    share.key = KeyReader(*key, reader.at("key"), faults).read();
  }
  return share;
}

std::optional<ParamValue> share_value(const SharePolicy& share) {
  switch (share.by) {
    case ShareBy::turn:
      break;
    case ShareBy::least_loaded:
      return ParamValue(std::string(to_string(share.by)));
    case ShareBy::key:
      return ParamValue(ParamMap{{"key", ParamValue(key_object(share.key))}});
  }
  return std::nullopt;
}

}  // namespace pystream::plan
