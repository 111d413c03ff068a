#pragma once

#include <cstddef>
#include <pystream/item.hpp>
#include <span>
#include <vector>

namespace pystream::worker {

/// The output of a stage whose items go on to the next stage in the same process: what is reserved lies here.
class LocalOutput : public Output {
 public:
  std::span<std::byte> reserve(std::size_t size) final;
  void emit_reserved(std::size_t size) final;
  void forward(const Item& in) final;

 protected:
  /// `tag`: of the item in work; it outlives this object.
  explicit LocalOutput(const Item::Tag& tag) : tag_(tag) {}
  const Item::Tag& tag() const { return tag_; }
  /// Where every item goes.
  virtual void pass(const Item& item) = 0;

 private:
  const Item::Tag& tag_;
  std::size_t reserved_ = 0;
  std::vector<std::byte> room_;
};

}  // namespace pystream::worker
