#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <pystream/codec.hpp>
#include <pystream/detail/signature.hpp>
#include <pystream/enums.hpp>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace pystream {

namespace detail {

/// A key as a callable of the user's finds it.
struct KeyCall {
  std::function<std::uint64_t(std::span<const std::byte> item)> of;
  std::string input;  ///< name of the items it takes, "any" for bytes
};

template <class Key>
std::uint64_t hash_key(const Key& key) {
  if constexpr (std::is_convertible_v<const Key&, std::string_view>) {
    return std::hash<std::string_view>()(key);
  } else {
    static_assert(std::is_default_constructible_v<std::hash<Key>>,
                  "pystream: a key is a string, a number, an enumerator, or another type that has a std::hash");
    return std::hash<Key>()(key);
  }
}

}  // namespace detail

/// How the replicas of a stage or pipeline share the items in front of them. The results keep the order of the items in
/// any case.
///
///     const Share by_symbol = Share::key([](const Tick& tick) { return tick.symbol; });
///     pipeline.add(Count{}, "Count", {.replicas = 4, .share = by_symbol});
class Share {
 public:
  /// Item 0 is for the first replica, item 1 for the second, and so on.
  Share() = default;
  /// Each item is for the replica that has the fewest items to do. Better than turn where items differ in the time that
  /// they take.
  static Share least_loaded() {
    Share share;
    share.by_ = ShareBy::least_loaded;
    return share;
  }
  /// All items of one key are for the same replica, which so sees them in their order and may keep a state for each
  /// key. `call` takes an item by const reference, or its bytes as std::span<const std::byte>, and gives its key. It is
  /// called once for each item, by the process of the stage in front (of the first stage, by forward()), and must give
  /// the same for the same item. What it throws is an error of that stage. It is a callable, so it is not for
  /// StartMethod::spawn.
  template <class Call>
  static Share key(Call call);

  /// The rule.
  ShareBy by() const { return by_; }
  /// nullptr: not by a callable.
  const std::shared_ptr<const detail::KeyCall>& call() const { return call_; }

 private:
  ShareBy by_ = ShareBy::turn;
  std::shared_ptr<const detail::KeyCall> call_;
};

template <class Call>
Share Share::key(Call call) {
  using Signature = detail::callable_signature<Call>;
  static_assert(Signature::kKnown, "pystream: a key is a callable with one, non-template operator()");
  Share share;
  share.by_ = ShareBy::key;
  if constexpr (Signature::kKnown) {
    static_assert(Signature::kCount == 1,
                  "pystream: a key takes one item: Key(const T&) or Key(std::span<const std::byte>)");
    using In = std::decay_t<detail::input_of<Signature, 0>>;
    detail::KeyCall made;
    if constexpr (std::is_same_v<In, std::span<const std::byte>>) {
      made.input = "any";
      made.of = [call = std::move(call)](std::span<const std::byte> item) { return detail::hash_key(call(item)); };
    } else {
      require_payload<In>();
      made.input = Codec<In>::name();
      made.of = [call = std::move(call)](std::span<const std::byte> item) {
        return detail::hash_key(call(Codec<In>::decode(item)));
      };
    }
    share.call_ = std::make_shared<const detail::KeyCall>(std::move(made));
  }
  return share;
}

}  // namespace pystream
