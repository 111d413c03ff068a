#include "worker/zip.hpp"

#include <algorithm>
#include <cstring>
#include <pystream/codec.hpp>

#include "base/mutation.hpp"

namespace pystream::worker {

Zip::Zip(std::span<shm::RingReader> links, std::span<const std::uint64_t> numbers, std::uint64_t done)
    : links_(links), numbers_(numbers.begin(), numbers.end()), answers_(links.size()), done_(done) {}

void Zip::step_over_mark(std::size_t index) {
  links_[index].advance();
  numbers_[index] = links_[index].next_number();
  unreleased_ = true;
  moved_ = true;
}

/// Reads on in one link, up to the last record of its answer, which it does not step over; false if that is not there.
bool Zip::read_answer(std::size_t index) {
  shm::RingReader& link = links_[index];
  Answer& answer = answers_[index];
  for (;;) {
    const shm::Record* record = link.try_peek();
    if (record == nullptr) {
      return false;
    }
    if (record->kind == shm::RecordKind::end) {
      over_ = true;
      return true;
    }
    if (record->kind != shm::RecordKind::tombstone) {
      if (answer.given) {
        throw shm::LinkCorrupt(link.id(), "holds a second answer of a branch to one item at record " +
                                              std::to_string(record->number) +
                                              "; a worker wrote over memory that is not its own");
      }
      answer.given = true;
      answer.bytes = record->payload;
    }
    if (record->closes > 0) {
      answer.complete = true;
      record_.sequence = record->sequence;
      record_.entered_ns = record->entered_ns;
      record_.closes = static_cast<std::uint8_t>(record->closes - 1);
      return true;
    }
    if (!answer.given) {
      step_over_mark(index);
      continue;
    }
    if (!answer.stepped) {
      answer.stepped = true;
      answer.begin = link.mark();
    }
    link.advance();
  }
}

bool Zip::gather() {
  while (answered_ < links_.size()) {
    if (!read_answer(answered_)) {
      return false;
    }
    ++answered_;
  }
  return true;
}

void Zip::put_together() {
  const bool all = !over_ && std::ranges::all_of(answers_, &Answer::given);
  record_.kind = over_ ? shm::RecordKind::end : all ? shm::RecordKind::item : shm::RecordKind::tombstone;
  record_.number = done_;
  record_.part = 0;
  record_.payload = {};
  if (all) {
    std::size_t size = 0;
    for (const Answer& answer : answers_) {
      size = detail::tuple_part_end(size, answer.bytes.size());
    }
    tuple_.resize(size);
    std::size_t at = 0;
    for (const Answer& answer : answers_) {
      std::ranges::copy(answer.bytes, detail::open_tuple_part(tuple_, at, answer.bytes.size()).begin());
      at = detail::tuple_part_end(at, answer.bytes.size());
    }
    record_.payload = tuple_;
  }
  ready_ = true;
}

void Zip::put_together(std::size_t size, std::uint32_t items) {
  tuples_.resize(std::max(tuples_.size(), items * size));
  const std::span<std::byte> all(tuples_);
  std::size_t at = 0;
  for (std::uint32_t item = 0; item < items; ++item) {
    for (std::size_t i = 0; i < links_.size(); ++i) {
      const std::size_t bytes = answers_[i].bytes.size();
      std::memcpy(detail::open_tuple_part(all, at, bytes).data(), found_[i].payload + item * found_[i].step, bytes);
      at = detail::tuple_part_end(at, bytes);
    }
  }
}

void Zip::advance_items(std::uint32_t items) {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    links_[i].advance_items(items);
    numbers_[i] = links_[i].next_number();
    answers_[i] = {};
  }
  done_ += items;
  answered_ = 0;
  ready_ = false;
  unreleased_ = true;
}

const shm::Record* Zip::try_peek() {
  if (!ready_) {
    if (!gather()) {
      return nullptr;
    }
    put_together();
  }
  return &record_;
}

void Zip::advance() {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (answers_[i].complete) {
      links_[i].advance();
      numbers_[i] = links_[i].next_number();
    }
    answers_[i] = {};
  }
  ++done_;
  answered_ = 0;
  ready_ = false;
  unreleased_ = true;
}

void Zip::release() {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const bool all = !answers_[i].stepped || base::mutated(base::Mutation::release_zipped_early);
    links_[i].release(all ? links_[i].mark() : answers_[i].begin);
  }
  unreleased_ = false;
  moved_ = false;
}

}  // namespace pystream::worker
