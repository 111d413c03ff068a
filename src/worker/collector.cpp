#include "worker/collector.hpp"

namespace pystream::worker {

Collector::Collector(std::span<shm::RingReader> links, std::span<const std::uint64_t> numbers, std::uint32_t turn,
                     std::uint64_t done)
    : links_(links), numbers_(numbers.begin(), numbers.end()), turn_(turn), done_(done) {
  if (turn_ >= links_.size()) {
    throw shm::LinkCorrupt(links_.front().id(), "is read by a segment whose journal names link " +
                                                    std::to_string(turn_) + " of " + std::to_string(links_.size()) +
                                                    "; a worker wrote over memory that is not its own");
  }
}

const shm::Record* Collector::try_peek() {
  const shm::Record* record = link().try_peek();
  if (record == nullptr) {
    return nullptr;
  }
  record_ = *record;
  record_.number = done_;
  closes_ = record_.closes > 0;
  record_.closes -= closes_ ? 1 : 0;
  return &record_;
}

void Collector::step(std::uint64_t records, bool closed) {
  numbers_[turn_] = link().next_number();
  done_ += records;
  if (closed) {
    turn_ = turn_ + 1 == links_.size() ? 0 : turn_ + 1;
  }
}

void Collector::advance() {
  link().advance();
  step(1, closes_);
}

void Collector::advance_items(std::uint32_t items) {
  link().advance_items(items);
  step(items, closes_ && items == found_);
}

}  // namespace pystream::worker
