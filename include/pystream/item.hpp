#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <pystream/codec.hpp>
#include <span>
#include <type_traits>
#include <utility>

namespace pystream {

/// An item as a stage sees it. Valid only during the call it was passed to; its bytes lie in shared memory
/// that this process cannot write. Used by the thread that was called.
///
///     void operator()(const pystream::Item& in, pystream::Output& out) override {
///       if (in.attempt() > 1) { forget(in.sequence()); }  // a worker that died may have seen it
///       out.emit_bytes(in.bytes().first(16));             // throws nothing if there are 16
///     }
class Item {
 public:
  /// What travels with an item besides its bytes.
  struct Tag {
    std::uint64_t sequence = 0;   ///< number given at the pipeline's entrance, from 0
    std::uint32_t part = 0;       ///< which of several outputs of one input, from 0
    std::uint32_t attempt = 1;    ///< 1 the first time; more if a worker that died may have seen it
    std::int64_t entered_ns = 0;  ///< CLOCK_MONOTONIC when it entered the pipeline
  };

  /// An item that is encoded. Both arguments must outlive it; so for the other constructor.
  Item(const Tag& tag, std::span<const std::byte> bytes) : tag_(&tag), bytes_(bytes) {}
  /// An item that is a value of this process, not encoded yet.
  Item(const Tag& tag, const void* value, const ValueType& type) : tag_(&tag), value_(value), type_(&type) {}
  /// An item whose value nobody needs after this call: take() moves it out.
  static Item expiring(const Tag& tag, void* value, const ValueType& type) {
    Item item(tag, value, type);
    item.expiring_ = value;
    return item;
  }

  /// Becomes what expiring() would make, with the same tag.
  void become(void* value, const ValueType& type) noexcept {
    bytes_ = {};
    value_ = expiring_ = value;
    type_ = &type;
  }

  /// The payload. Empty for an item of zero bytes. Aligned to 16 bytes; if a source or stage of a plain type made it,
  /// only as that type is.
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  /// Number that the item was given at the pipeline's entrance, from 0.
  std::uint64_t sequence() const noexcept { return tag_->sequence; }
  /// Which of several outputs of one input it is, from 0.
  std::uint32_t part() const noexcept { return tag_->part; }
  /// 1 the first time; more if a worker that died may have seen it.
  std::uint32_t attempt() const noexcept { return tag_->attempt; }
  /// When it entered the pipeline, on CLOCK_MONOTONIC.
  std::chrono::nanoseconds entered() const noexcept { return std::chrono::nanoseconds(tag_->entered_ns); }
  /// All of these together.
  const Tag& tag() const noexcept { return *tag_; }

  /// The value itself if the stage before runs in this process and made a T; else nullptr (use bytes()).
  template <Payload T>
  const T* value() const noexcept {
    return type_ == &value_type<T>() ? static_cast<const T*>(value_) : nullptr;
  }

  /// As value(), if it may be moved from.
  template <Payload T>
  T* expiring_value() const noexcept {
    return type_ == &value_type<T>() ? static_cast<T*>(expiring_) : nullptr;
  }

  /// The value and its type if the item has not been encoded; else nullptr.
  const void* unencoded() const noexcept { return value_; }
  /// The type of unencoded(); nullptr if the item is encoded.
  const ValueType* unencoded_type() const noexcept { return type_; }

  /// Decodes or copies the payload. Throws PayloadError if the bytes are not a T.
  template <Payload T>
  T get() const {
    if (const T* here = value<T>()) {
      return *here;
    }
    return Codec<T>::decode(bytes_);
  }

  /// As get(), but moves the value out where that is possible; call it once.
  template <Payload T>
  T take() const {
    if (T* here = expiring_value<T>()) {
      return std::move(*here);
    }
    return get<T>();
  }

 private:
  const Tag* tag_;
  std::span<const std::byte> bytes_;
  const void* value_ = nullptr;
  void* expiring_ = nullptr;
  const ValueType* type_ = nullptr;
};

/// Where a stage puts what it makes of an item: nothing, one item or several.
/// All calls may block while the next link is full (back-pressure). It belongs to the call that it was passed to: no
/// other thread may use it, and nothing may keep it.
///
///     const std::span<std::byte> place = out.reserve(in.bytes().size());
///     std::ranges::reverse_copy(in.bytes(), place.begin());
///     out.emit_reserved(place.size());
class Output {
 public:
  virtual ~Output() = default;
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// Room for an item of up to `size` bytes, written in place. Aligned to 16 bytes. Valid until the next call on
  /// this object. Throws ItemTooLarge.
  virtual std::span<std::byte> reserve(std::size_t size) = 0;
  /// Makes the first `size` bytes of the last reserve() an item. REQUIRES: no more than were reserved.
  virtual void emit_reserved(std::size_t size) = 0;
  /// Passes an item on unchanged. The very item that came in, if it is large, is not copied: the next worker reads it
  /// where it lies, and it stays in the link that brought it until it is done there.
  virtual void forward(const Item& in) = 0;

  /// For a source that reads what entered a pipeline before, on another host: the next item that it emits has this
  /// number, part and time of entry, instead of the next number and now. Numbers must not fall. Elsewhere it does
  /// nothing.
  ///
  ///     out.set_origin({.sequence = 17, .entered_ns = entered});
  ///     out.emit_bytes(bytes);
  virtual void set_origin(const Item::Tag&) {}

  /// An item with a copy of these bytes.
  void emit_bytes(std::span<const std::byte> bytes) {
    const std::span<std::byte> to = reserve(bytes.size());
    if (!bytes.empty()) {
      std::memcpy(to.data(), bytes.data(), bytes.size());
    }
    emit_reserved(bytes.size());
  }

  /// An item that holds this value. Throws ItemTooLarge; does not compile for a type without a Codec.
  template <class T>
  void emit(const T& value) {
    require_payload<T>();
    emit_value(&value, value_type<T>());
  }
  /// The same; the value is moved if the next stage runs in this process.
  template <class T>
  requires(!std::is_lvalue_reference_v<T> && !std::is_const_v<T>) void emit(T&& value) {
    require_payload<T>();
    emit_expiring(&value, value_type<T>());
  }

 protected:
  Output() = default;
  /// What emit() calls: `value` is a value of `type`.
  virtual void emit_value(const void* value, const ValueType& type) = 0;
  /// `value` may be moved from.
  virtual void emit_expiring(void* value, const ValueType& type) { emit_value(value, type); }
};

/// Typed form of Output for stages that give several items for one. As Output it belongs to its call.
///
///     pipeline.add([](std::string line, pystream::Emitter<std::string>& out) {
///       std::istringstream words(line);
///       for (std::string word; words >> word;) { out(std::move(word)); }
///     }, "Words");
template <class T>
class Emitter {
 public:
  /// `out` must outlive it.
  explicit Emitter(Output& out) : out_(out) {}
  /// As Output::emit().
  void operator()(const T& value) { out_.emit(value); }
  /// As Output::emit(); the value is moved if the next stage runs in this process.
  void operator()(T&& value) { out_.emit(std::move(value)); }

 private:
  Output& out_;
};

}  // namespace pystream
