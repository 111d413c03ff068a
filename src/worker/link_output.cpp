#include "worker/link_output.hpp"

#include <algorithm>
#include <pystream/error.hpp>

namespace pystream::worker {

void LinkOutput::begin_input(std::uint32_t already_out) {
  emitted_ = 0;
  pending_ = 0;
  already_out_ = already_out;
  published_ = already_out;
  reserved_.reset();
  start_ = ring_.mark();
}

std::uint32_t LinkOutput::withdraw_input() {
  if (pending_ > 0) {
    if (published_ == already_out_) {
      ring_.rollback_to(start_);
    } else {
      ring_.rollback();
    }
  }
  emitted_ = 0;
  pending_ = 0;
  return published_;
}

void LinkOutput::end_input(std::uint8_t closes, bool answer) {
  if (closes > 0 && pending_ > 0) {
    ring_.set_closes(closes);
  } else if (closes > 0 || (answer && emitted_ == 0)) {
    mark(shm::RecordKind::tombstone, closes);
  }
}

void LinkOutput::mark(shm::RecordKind kind, std::uint8_t closes) {
  const shm::RecordTag tag{.sequence = flow_.tag.sequence, .part = 0, .entered_ns = flow_.tag.entered_ns};
  while (!ring_.try_mark(kind, tag, closes)) {
    room_.make_room();
  }
}

std::span<std::byte> LinkOutput::reserve(std::size_t size) {
  reserved_.reset();
  swallowing_ = emitted_ < already_out_;
  dropping_ = false;
  if (swallowing_) {
    reserved_ = size;
    swallowed_.resize(std::max<std::size_t>(size, 1));
    return {swallowed_.data(), size};
  }
  std::byte* data = ring_.try_reserve(size);
  if (data == nullptr && ring_.overflow() == shm::Overflow::drop_newest) {
    dropping_ = true;
    reserved_ = size;
    swallowed_.resize(std::max<std::size_t>(size, 1));
    return {swallowed_.data(), size};
  }
  while (data == nullptr) {
    room_.make_room();
    data = ring_.try_reserve(size);
  }
  reserved_ = size;
  return {data, size};
}

void LinkOutput::emit_reserved(std::size_t size) {
  if (!reserved_) {
    throw Error("emit_reserved(" + std::to_string(size) + ") without a reserve() before it");
  }
  if (size > *reserved_) {
    throw Error("emit_reserved(" + std::to_string(size) + ") after reserve(" + std::to_string(*reserved_) +
                "); emit at most what was reserved");
  }
  reserved_.reset();
  if (first_) {
    flow_.number_item();
  }
  if (dropping_) {
    ring_.count_dropped();
    dropping_ = false;
  } else if (!swallowing_) {
    ring_.finish(size,
                 {.sequence = flow_.tag.sequence, .part = first_ ? 0 : emitted_, .entered_ns = flow_.tag.entered_ns});
    ++pending_;
  }
  ++emitted_;
}

void LinkOutput::forward(const Item& in) {
  if (in.unencoded() != nullptr) {
    emit_value(in.unencoded(), *in.unencoded_type());
  } else {
    emit_bytes(in.bytes());
  }
}

void LinkOutput::emit_value(const void* value, const ValueType& type) {
  const std::size_t size = type.size(value);
  type.encode(value, reserve(size));
  emit_reserved(size);
}

}  // namespace pystream::worker
