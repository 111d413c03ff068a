#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <pystream/item.hpp>
#include <pystream/params.hpp>
#include <span>
#include <string>
#include <vector>

namespace pystream::core {

/// How items are told apart on a pipe.
class Framing {
 public:
  /// "lines", "u32" or {"fixed": n}; throws InvalidParam for anything else.
  static Framing from_param(const ParamValue* value);

  /// Appends the item as it goes through the pipe. Throws PayloadError if it cannot go through it.
  void put(std::span<const std::byte> item, std::vector<std::byte>& to) const;

  /// True if the end of the output may end a frame: a last line without a newline.
  bool ends_with_output() const { return kind_ == Kind::lines; }

  struct Frame {
    std::size_t skip = 0;  ///< bytes in front of the payload
    std::size_t size = 0;
    std::size_t total = 0;  ///< with everything around it
  };
  /// The first frame in `from`, if it is complete. `searched` is kept by the caller and starts as 0 for every frame:
  /// bytes looked at in vain. Throws PayloadError if no frame can begin like this.
  std::optional<Frame> first(std::span<const std::byte> from, std::size_t& searched) const;

 private:
  enum class Kind { lines, u32, fixed };
  Framing(Kind kind, std::size_t size) : kind_(kind), size_(size) {}

  Kind kind_;
  std::size_t size_;  ///< of a fixed frame
};

/// The longest answer believed: anything beyond is taken for a program that speaks another framing.
inline constexpr std::uint64_t kLongestAnswer = std::uint64_t{1} << 30;

}  // namespace pystream::core
