#include "worker/local_output.hpp"

#include <algorithm>
#include <pystream/error.hpp>
#include <string>

namespace pystream::worker {

std::span<std::byte> LocalOutput::reserve(std::size_t size) {
  room_.resize(std::max<std::size_t>(size, 1));
  reserved_ = size;
  return {room_.data(), size};
}

void LocalOutput::emit_reserved(std::size_t size) {
  if (size > reserved_) {
    throw Error("emit_reserved(" + std::to_string(size) + ") after reserve(" + std::to_string(reserved_) +
                "); emit at most what was reserved");
  }
  pass({tag_, std::span<const std::byte>(room_.data(), size)});
}

void LocalOutput::forward(const Item& in) {
  if (in.unencoded() != nullptr) {
    emit_value(in.unencoded(), *in.unencoded_type());
  } else {
    pass({tag_, in.bytes()});
  }
}

}  // namespace pystream::worker
