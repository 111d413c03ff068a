#pragma once

#include <cstddef>
#include <cstring>
#include <pystream/item.hpp>
#include <span>
#include <vector>

namespace pystream::worker {

/// Who goes on with an input whose output does not fit into the run.
class RunLeaver {
 public:
  virtual ~RunLeaver() = default;
  /// `emitted`: what the input has given so far; empty: nothing. Where the rest of it goes.
  virtual Output& leave_run(std::span<const std::byte> emitted) = 0;
};

/// A stage's output into a run that is being written: one item of a fixed size for each input, or none. The input that
/// gives anything else leaves the run; what it gave in the run is then not part of it.
class RunOutput final : public Output {
 public:
  explicit RunOutput(RunLeaver& leaver) : leaver_(leaver) {}

  /// `to`: where the first item goes, the others right behind it. `size` is a multiple of 16, so that each of them is
  /// as aligned as reserve() promises.
  void begin_run(std::byte* to, std::size_t size) {
    next_ = to;
    size_ = size;
  }
  void begin_input() {
    emitted_ = false;
    reserved_ = false;
    rest_ = nullptr;
  }
  /// The input gave its item into the run.
  bool emitted() const { return emitted_; }
  bool left() const { return rest_ != nullptr; }

  std::span<std::byte> reserve(std::size_t size) override {
    if (size != size_ || emitted_ || rest_ != nullptr) [[unlikely]] {
      return rest().reserve(size);
    }
    reserved_ = true;
    return {next_, size};
  }
  void emit_reserved(std::size_t size) override {
    if (size != size_ || !reserved_ || rest_ != nullptr) [[unlikely]] {
      emit_other(size);
      return;
    }
    reserved_ = false;
    emitted_ = true;
    next_ += size;
  }
  /// The items of a run have the numbers that follow one another.
  void set_origin(const Item::Tag& tag) override { rest().set_origin(tag); }
  void forward(const Item& in) override {
    if (in.unencoded() != nullptr) {
      emit_value(in.unencoded(), *in.unencoded_type());
    } else if (in.bytes().size() == size_ && !emitted_ && rest_ == nullptr) {
      emit_bytes(in.bytes());
    } else {
      rest().forward(in);
    }
  }

 protected:
  void emit_value(const void* value, const ValueType& type) override {
    const std::size_t size = type.size(value);
    type.encode(value, reserve(size));
    emit_reserved(size);
  }

 private:
  Output& rest() {
    if (rest_ == nullptr) {
      rest_ = &leaver_.leave_run(emitted_ ? std::span<const std::byte>(next_ - size_, size_)
                                          : std::span<const std::byte>());
    }
    return *rest_;
  }
  /// Less than was reserved, or nothing was.
  void emit_other(std::size_t size) {
    if (rest_ != nullptr || !reserved_ || size > size_) {
      rest().emit_reserved(size);
      return;
    }
    const std::vector<std::byte> bytes(next_, next_ + size);  // the rest may go where they lie
    rest().emit_bytes(bytes);
  }

  RunLeaver& leaver_;
  std::byte* next_ = nullptr;
  std::size_t size_ = 0;
  bool emitted_ = false;
  bool reserved_ = false;
  Output* rest_ = nullptr;  ///< for what does not fit
};

}  // namespace pystream::worker
