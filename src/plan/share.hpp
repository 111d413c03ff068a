#pragma once

#include <cstdint>
#include <memory>
#include <pystream/enums.hpp>
#include <pystream/share.hpp>
#include <string>

/// How replicas share items, as plans have it.
namespace pystream::plan {

/// Where the key of an item is found.
struct ItemKey {
  enum class In {
    item,    ///< all of its bytes
    column,  ///< of a line of text
    bytes,   ///< at a place
    json,    ///< in a JSON document
  };
  In in = In::item;
  std::uint64_t column = 1;  ///< from 1
  std::string separator{};   ///< of columns; empty: white space
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::string pointer{};  ///< JSON pointer

  bool operator==(const ItemKey&) const = default;
};

struct SharePolicy {
  ShareBy by = ShareBy::turn;
  ItemKey key{};  ///< of ShareBy::key, unless there is a `call`
  /// A callable of the C++ API. It is part of no plan file.
  std::shared_ptr<const detail::KeyCall> call{};

  bool operator==(const SharePolicy& other) const { return by == other.by && key == other.key; }
};

}  // namespace pystream::plan
