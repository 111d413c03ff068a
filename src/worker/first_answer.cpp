#include "worker/first_answer.hpp"

#include <algorithm>

#include "base/mutation.hpp"
#include "shm/link_corrupt.hpp"
#include "worker/release_each.hpp"

namespace pystream::worker {

FirstAnswer::FirstAnswer(std::span<shm::RingReader> links, std::span<const std::uint64_t> journal, std::uint32_t winner,
                         std::uint64_t done)
    : links_(links), progress_(journal.begin(), journal.end()), winner_(winner), done_(done), over_(links.size()) {
  if (winner_ > links_.size()) {
    throw shm::LinkCorrupt(links_.front().id(), "is read by a segment whose journal names branch " +
                                                    std::to_string(winner_) + " of " + std::to_string(links_.size()) +
                                                    "; a worker wrote over memory that is not its own");
  }
  if (base::mutated(base::Mutation::forget_winner)) {
    winner_ = 0;
  }
  if (base::mutated(base::Mutation::forget_answered)) {
    std::fill(progress_.begin() + static_cast<std::ptrdiff_t>(links_.size()), progress_.end() - 1, item());
  }
}

void FirstAnswer::step_over(std::size_t index, bool closes) {
  links_[index].advance();
  number(index) = links_[index].next_number();
  answered(index) += closes ? 1 : 0;
  moved_ = true;
}

void FirstAnswer::give(const shm::Record& record) {
  record_ = record;
  record_.number = done_;
  closes_ = record.closes > 0;
  record_.closes -= closes_ ? 1 : 0;
}

bool FirstAnswer::others_answered(std::size_t index) const {
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (i != index && awaits(i)) {
      return false;
    }
  }
  return true;
}

/// Of this branch, an answer to the next item may still come.
bool FirstAnswer::awaits(std::size_t index) const {
  return over_[index] == 0 && progress_[links_.size() + index] <= item();
}

/// Steps over answers to items before the next one, and over marks. True if the branch answers the next item, if need
/// be with nothing, as all others did.
bool FirstAnswer::seek(std::size_t index) {
  while (awaits(index)) {
    const shm::Record* record = links_[index].try_peek();
    if (record == nullptr) {
      return false;
    }
    if (record->kind == shm::RecordKind::end) {
      over_[index] = 1;
      return false;
    }
    const bool closes = record->closes > 0;
    if (answered(index) == item() &&
        (record->kind != shm::RecordKind::tombstone || (closes && others_answered(index)))) {
      return true;
    }
    step_over(index, closes);
  }
  return false;
}

const shm::Record* FirstAnswer::try_peek() {
  for (std::size_t i = 0; winner_ == 0 && i < links_.size(); ++i) {
    if (seek(i)) {
      winner_ = static_cast<std::uint32_t>(i) + 1;
    }
  }
  if (winner_ != 0) {
    const shm::Record* record = links_[winner_ - 1].try_peek();
    if (record == nullptr) {
      return nullptr;
    }
    give(*record);
    return &record_;
  }
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (awaits(i)) {
      return nullptr;
    }
  }
  // Of all links the end was read. (If one ended early, as a worker failed, of those that have not answered.)
  give({.kind = shm::RecordKind::end});
  return &record_;
}

void FirstAnswer::advance() {
  ++done_;
  if (winner_ != 0) {
    step_over(winner_ - 1, closes_);
  }
  if (closes_) {
    ++item();
    winner_ = 0;
  }
}

bool FirstAnswer::has_unreleased() const {
  return any_unreleased(links_);
}

void FirstAnswer::release() {
  release_each(links_);
  moved_ = false;
}

std::vector<shm::Watched> FirstAnswer::more() {
  std::vector<shm::Watched> all;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    if (winner_ != 0 ? i == winner_ - 1 : awaits(i)) {
      all.push_back(links_[i].more());
    }
  }
  return all;
}

}  // namespace pystream::worker
