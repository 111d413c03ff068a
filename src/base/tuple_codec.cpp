#include <cstdint>
#include <cstring>
#include <pystream/codec.hpp>
#include <string>

namespace pystream {
namespace {

/// In front of each part.
struct PartHead {
  std::uint64_t bytes;
  std::uint64_t reserved;
};
static_assert(sizeof(PartHead) == detail::kTupleAlign);

std::size_t filled_up(std::size_t size) {
  return detail::tuple_part_end(0, size) - sizeof(PartHead);
}

}  // namespace

namespace detail {

std::span<std::byte> open_tuple_part(std::span<std::byte> tuple, std::size_t at, std::size_t size) {
  const PartHead head{.bytes = size, .reserved = 0};
  std::byte* to = tuple.data() + at;
  std::memcpy(to, &head, sizeof(head));
  to += sizeof(head);
  std::memset(to + size, 0, filled_up(size) - size);
  return {to, size};
}

std::size_t find_tuple_parts(std::span<const std::byte> tuple, std::span<std::span<const std::byte>> parts) {
  std::size_t found = 0;
  for (std::span<const std::byte> left = tuple; !left.empty(); ++found) {
    PartHead head{};
    const bool whole = left.size() >= sizeof(head);
    if (whole) {
      std::memcpy(&head, left.data(), sizeof(head));
      left = left.subspan(sizeof(head));
    }
    if (!whole || head.reserved != 0 || head.bytes > left.size() || filled_up(head.bytes) > left.size()) {
      throw PayloadError("found an item of " + std::to_string(tuple.size()) +
                         " bytes that is no tuple, expected what branches give that are joined by zip");
    }
    if (found < parts.size()) {
      parts[found] = left.first(head.bytes);
    }
    left = left.subspan(filled_up(head.bytes));
  }
  return found;
}

void throw_wrong_parts(const std::string& type, std::size_t got) {
  throw PayloadError("found a tuple of " + std::to_string(got) + ", expected " + type +
                     ": one item of each branch that is zipped");
}

}  // namespace detail

std::vector<std::span<const std::byte>> tuple_parts(std::span<const std::byte> tuple) {
  std::vector<std::span<const std::byte>> parts(detail::find_tuple_parts(tuple, {}));
  detail::find_tuple_parts(tuple, parts);
  return parts;
}

}  // namespace pystream
