#include "core/framing.hpp"

#include <cstring>
#include <limits>
#include <pystream/error.hpp>

namespace pystream::core {
namespace {

/// Appends; an empty span may have no address.
void add(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

[[noreturn]] void refuse_param(const std::string& found) {
  throw InvalidParam("exec: parameter \"framing\" is " + found +
                     "; expected \"lines\", \"u32\" or {\"fixed\": n} with n bytes from 1 to 1073741824");
}

}  // namespace

Framing Framing::from_param(const ParamValue* value) {
  if (value == nullptr) {
    refuse_param("missing");
  }
  if (const auto* name = std::get_if<std::string>(value)) {
    if (*name == "lines") {
      return {Kind::lines, 0};
    }
    if (*name == "u32") {
      return {Kind::u32, 0};
    }
    refuse_param("\"" + *name + "\"");
  }
  const auto* object = std::get_if<ParamMap>(value);
  if (object == nullptr || object->size() != 1 || object->front().first != "fixed") {
    refuse_param("something else");
  }
  const auto* size = std::get_if<std::int64_t>(&object->front().second);
  if (size == nullptr || *size < 1 || static_cast<std::uint64_t>(*size) > kLongestAnswer) {
    refuse_param(size == nullptr ? "{\"fixed\": (no integer)}" : "{\"fixed\": " + std::to_string(*size) + "}");
  }
  return {Kind::fixed, static_cast<std::size_t>(*size)};
}

void Framing::put(std::span<const std::byte> item, std::vector<std::byte>& to) const {
  switch (kind_) {
    case Kind::lines: {
      const void* inside = item.empty() ? nullptr : std::memchr(item.data(), '\n', item.size());
      if (inside != nullptr) {
        throw PayloadError("exec: item of " + std::to_string(item.size()) + " bytes has a newline at byte " +
                           std::to_string(static_cast<const std::byte*>(inside) - item.data()) +
                           " and cannot be one line; use \"framing\": \"u32\"");
      }
      add(to, item);
      to.push_back(std::byte{'\n'});
      return;
    }
    case Kind::u32: {
      if (item.size() > std::numeric_limits<std::uint32_t>::max()) {
        throw PayloadError("exec: item of " + std::to_string(item.size()) +
                           " bytes is too large for \"framing\": \"u32\", which ends at 4294967295");
      }
      for (int shift = 0; shift < 32; shift += 8) {
        to.push_back(static_cast<std::byte>(item.size() >> shift));
      }
      add(to, item);
      return;
    }
    case Kind::fixed:
      if (item.size() != size_) {
        throw PayloadError("exec: item of " + std::to_string(item.size()) + " bytes, but \"framing\" is {\"fixed\": " +
                           std::to_string(size_) + "}; use \"u32\" for items of different sizes");
      }
      add(to, item);
      return;
  }
}

std::optional<Framing::Frame> Framing::first(std::span<const std::byte> from, std::size_t& searched) const {
  switch (kind_) {
    case Kind::lines: {
      const void* end =
          from.size() > searched ? std::memchr(from.data() + searched, '\n', from.size() - searched) : nullptr;
      if (end == nullptr) {
        searched = from.size();
        if (searched > kLongestAnswer) {
          throw PayloadError("an answer of more than " + std::to_string(kLongestAnswer) + " bytes without a newline");
        }
        return std::nullopt;
      }
      const auto size = static_cast<std::size_t>(static_cast<const std::byte*>(end) - from.data());
      return Frame{.size = size, .total = size + 1};
    }
    case Kind::u32: {
      constexpr std::size_t kHeader = 4;
      if (from.size() < kHeader) {
        return std::nullopt;
      }
      std::uint64_t size = 0;
      for (std::size_t i = 0; i < kHeader; ++i) {
        size |= std::to_integer<std::uint64_t>(from[i]) << (8 * i);
      }
      if (size > kLongestAnswer) {
        throw PayloadError("an answer that announces " + std::to_string(size) + " bytes, more than the " +
                           std::to_string(kLongestAnswer) +
                           " accepted (its first 4 bytes are the size, little endian)");
      }
      if (from.size() - kHeader < size) {
        return std::nullopt;
      }
      return Frame{
          .skip = kHeader, .size = static_cast<std::size_t>(size), .total = kHeader + static_cast<std::size_t>(size)};
    }
    case Kind::fixed:
      return from.size() < size_ ? std::nullopt : std::optional(Frame{.size = size_, .total = size_});
  }
  return std::nullopt;
}

}  // namespace pystream::core
