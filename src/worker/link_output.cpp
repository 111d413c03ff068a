#include "worker/link_output.hpp"

#include <algorithm>
#include <cstring>
#include <pystream/error.hpp>

#include "base/kill_point.hpp"

namespace pystream::worker {

void LinkOutput::withdraw() {
  if (published_ == start_.published) {
    if (pending_ > start_.pending) {
      ring_.rollback_to(start_.mark);
    }
    pending_ = start_.pending;
  } else {
    if (pending_ > 0) {
      ring_.rollback();
    }
    pending_ = 0;
  }
  emitted_ = start_.emitted;
  already_out_ = published_;
  reserved_ = 0;
  begin_part();
}

void LinkOutput::close_input(std::uint8_t closes) {
  if (closes > 0 && pending_ > 0) {
    ring_.set_closes(closes);
  } else {
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
  base::kill_point(base::KillPoint::before_reserve);
  reserved_ = 0;
  if (one_answer_ && emitted_ > 0) {
    refuse_second();
  }
  std::byte* data = nullptr;
  if (emitted_ >= already_out_) {
    lost_ = Lost::no;
    data = ring_.try_reserve(size);
  }
  if (data == nullptr) {
    data = make_place(size);
  }
  reserved_ = size + 1;
  return {data, size};
}

/// The link is full, or a predecessor has published this output already.
std::byte* LinkOutput::make_place(std::size_t size) {
  std::byte* data = nullptr;
  lost_ = emitted_ < already_out_ ? Lost::published_before : Lost::no;
  if (lost_ == Lost::no && ring_.overflow() == shm::Overflow::drop_newest) {
    lost_ = Lost::dropped;
  }
  while (lost_ == Lost::no && data == nullptr) {
    room_.make_room();
    data = ring_.try_reserve(size);
  }
  if (lost_ != Lost::no) {
    scratch_.resize(std::max<std::size_t>(size, 1));
    data = scratch_.data();
  }
  return data;
}

void LinkOutput::refuse_second() {
  throw Error(
      "a second output for one input, in a branch whose answers are zipped: one item is made of one answer of "
      "each branch; give one output, or join the branches by \"merge\"");
}

void LinkOutput::refuse(std::size_t size) const {
  const std::string what = "emit_reserved(" + std::to_string(size) + ")";
  if (reserved_ == 0) {
    throw Error(what + " without a reserve() before it");
  }
  throw Error(what + " after reserve(" + std::to_string(reserved_ - 1) + "); emit at most what was reserved");
}

void LinkOutput::emit_reserved(std::size_t size) {
  if (size >= reserved_) {
    refuse(size);
  }
  base::kill_point(base::KillPoint::in_payload);
  reserved_ = 0;
  last_size_ = size;
  if (first_) {
    flow_.number_item();
  }
  if (lost_ == Lost::no) {
    ring_.finish(size, output_tag());
    ++pending_;
  } else if (lost_ == Lost::dropped) {
    ring_.count_dropped();
  }
  ++emitted_;
}

shm::RecordTag LinkOutput::output_tag() const {
  return {
      .sequence = flow_.tag.sequence, .part = first_ ? flow_.tag.part : emitted_, .entered_ns = flow_.tag.entered_ns};
}

/// True for the very bytes of a large input, not for a copy of them or a part.
bool LinkOutput::may_refer(const Item& in) const {
  return refers_ && flow_.input != nullptr && flow_.input->large() &&
         in.bytes().data() == flow_.input->payload.data() && in.bytes().size() == flow_.input->payload.size();
}

void LinkOutput::refer(const Item& in) {
  base::kill_point(base::KillPoint::before_reserve);
  reserved_ = 0;
  if (one_answer_ && emitted_ > 0) {
    refuse_second();
  }
  if (emitted_ >= already_out_) {
    const shm::ReferTo to{.link = flow_.input->place.link,
                          .position = flow_.input->place.position,
                          .size = in.bytes().size(),
                          .input = flow_.input->number};
    while (!ring_.try_refer(to, output_tag())) {
      room_.make_room();
    }
    ++pending_;
  }
  ++emitted_;
}

void LinkOutput::forward(const Item& in) {
  if (in.unencoded() != nullptr) {
    emit_value(in.unencoded(), *in.unencoded_type());
  } else if (may_refer(in)) {
    refer(in);
  } else {
    emit_bytes(in.bytes());
  }
}

void LinkOutput::emit_value(const void* value, const ValueType& type) {
  if (type.plain_bytes != 0) {
    std::memcpy(reserve(type.plain_bytes).data(), value, type.plain_bytes);
    emit_reserved(type.plain_bytes);
    return;
  }
  const std::size_t size = type.size(value);
  type.encode(value, reserve(size));
  emit_reserved(size);
}

}  // namespace pystream::worker
