#include "worker/zip.hpp"

#include <algorithm>
#include <pystream/codec.hpp>

#include "base/mutation.hpp"

namespace pystream::worker {

Zip::Zip(std::span<shm::RingReader> links, std::span<const std::uint64_t> numbers, std::uint64_t done)
    : links_(links), numbers_(numbers.begin(), numbers.end()), answers_(links.size()), done_(done) {
  for (const shm::RingReader& link : links_) {
    marks_.push_back(link.mark());
  }
}

void Zip::step_over(std::size_t index) {
  links_[index].advance();
  numbers_[index] = links_[index].next_number();
  marks_[index] = links_[index].mark();
  unreleased_ = true;
}

/// Reads on in one link, up to the end of its answer; false if more has to come.
bool Zip::take_answer(std::size_t index) {
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
    const bool closes = record->closes > 0;
    if (record->kind != shm::RecordKind::tombstone) {
      if (answer.given) {
        throw shm::LinkCorrupt(link.id(), "holds a second answer of a branch to one item at record " +
                                              std::to_string(record->number) +
                                              "; a worker wrote over memory that is not its own");
      }
      answer = {.given = true, .bytes = record->payload};
    }
    if (index == 0) {
      record_.sequence = record->sequence;
      record_.entered_ns = record->entered_ns;
    }
    record_.closes = closes ? static_cast<std::uint8_t>(record->closes - 1) : std::uint8_t{0};
    if (!closes && !answer.given) {
      step_over(index);
      moved_ = true;
      continue;
    }
    link.advance();
    if (closes) {
      return true;
    }
  }
}

bool Zip::gather() {
  while (answered_ < links_.size()) {
    if (!take_answer(answered_)) {
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
    numbers_[i] = links_[i].next_number();
    marks_[i] = links_[i].mark();
    answers_[i] = {};
  }
  ++done_;
  answered_ = 0;
  ready_ = false;
  unreleased_ = true;
}

void Zip::release() {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    links_[i].release(base::mutated(base::Mutation::release_zipped_early) ? links_[i].mark() : marks_[i]);
  }
  unreleased_ = false;
  moved_ = false;
}

}  // namespace pystream::worker
