#include "worker/collector.hpp"

#include "base/mutation.hpp"
#include "worker/release_each.hpp"

namespace pystream::worker {

Collector::Collector(std::span<shm::RingReader> links, Of of, std::span<const std::uint64_t> numbers,
                     std::uint32_t turn, std::uint64_t done)
    : all_(links),
      links_(of == Of::dealing ? links.first(links.size() - 1) : links),
      dealing_(of == Of::dealing ? &links.back() : nullptr),
      of_(of),
      numbers_(numbers.begin(), numbers.end()),
      turn_(turn),
      done_(done) {
  if (turn_ >= links_.size()) {
    throw shm::LinkCorrupt(links_.front().id(), "is read by a segment whose journal names link " +
                                                    std::to_string(turn_) + " of " + std::to_string(links_.size()) +
                                                    "; a worker wrote over memory that is not its own");
  }
}

/// False: nothing was dealt that is not collected.
bool Collector::find_turn() {
  if (dealing_ == nullptr || over_ > 0 || all_dealt_) {
    return true;
  }
  const shm::Record* dealt = dealing_->try_peek();
  dry_ = dealt == nullptr;
  if (dry_) {
    return false;
  }
  all_dealt_ = dealt->kind == shm::RecordKind::end;
  const bool in_turn = base::mutated(base::Mutation::follow_in_turn);
  turn_ = all_dealt_ ? 0 : in_turn ? static_cast<std::uint32_t>(dealt->number % links_.size()) : dealing_->dealt_to();
  return true;
}

/// Nothing is dealt. There may be marks that answer nothing, which would keep out what comes behind them.
const shm::Record* Collector::peek_at_marks() {
  for (turn_ = 0; turn_ < links_.size(); ++turn_) {
    const shm::Record* record = link().try_peek();
    if (record != nullptr && record->kind == shm::RecordKind::tombstone && record->closes == 0) {
      return record;
    }
    if (record != nullptr && find_turn()) {
      return peek_at_turn();  // it was dealt meanwhile, and answered
    }
    if (record != nullptr) {
      throw shm::LinkCorrupt(link().id(),
                             "has an answer to something that was not dealt; a worker wrote over memory "
                             "that is not its own");
    }
  }
  turn_ = 0;
  return nullptr;
}

/// The next record of the link whose turn it is. Behind the end of one there is nothing in the others but marks, and
/// their ends; if there is more, a link ended early because a worker failed, and this is the end.
const shm::Record* Collector::peek_at_turn() {
  if (!find_turn()) {
    return peek_at_marks();
  }
  while (!ended_) {
    const shm::Record* record = link().try_peek();
    if (record == nullptr || (over_ == 0 && !all_dealt_ && record->kind != shm::RecordKind::end)) {
      return record;
    }
    if (record->kind == shm::RecordKind::tombstone && record->closes == 0) {
      return record;
    }
    ended_ = record->kind != shm::RecordKind::end || ++over_ == links_.size();
    if (!ended_) {
      pass_to_next();
    }
  }
  record_ = {.kind = shm::RecordKind::end};
  return &record_;
}

const shm::Record* Collector::try_peek() {
  const shm::Record* record = peek_at_turn();
  if (record == nullptr) {
    return nullptr;
  }
  record_ = *record;
  record_.number = done_;
  closes_ = record_.closes > 0;
  record_.closes -= closes_ ? 1 : 0;
  if (of_ == Of::branches) {
    // So that no two parts of an item have the same number.
    record_.part = record_.part * static_cast<std::uint32_t>(links_.size()) + turn_;
    const bool last = turn_ + 1 == links_.size() || base::mutated(base::Mutation::merge_closes_each);
    record_.closes = last ? record_.closes : 0;
  }
  return &record_;
}

void Collector::step(std::uint64_t records, bool closed) {
  numbers_[turn_] = link().next_number();
  done_ += records;
  if (closed) {
    pass_turn();
  }
}

void Collector::advance() {
  if (ended_) {
    ++done_;
    return;
  }
  link().advance();
  step(1, closes_);
}

void Collector::advance_items(std::uint32_t items) {
  link().advance_items(items);
  step(items, closes_ && items == found_);
}

/// A unit is collected.
void Collector::pass_turn() {
  if (dealing_ == nullptr) {
    pass_to_next();
    return;
  }
  dealing_->advance_unit();
  numbers_.back() = dealing_->next_number();
}

std::vector<shm::Watched> Collector::more() {
  std::vector<shm::Watched> all;
  for (shm::RingReader& link : links_) {
    all.push_back(link.more());
  }
  return all;
}

bool Collector::has_unreleased() const {
  return any_unreleased(all_);
}

void Collector::release() {
  release_each(all_);
}

}  // namespace pystream::worker
