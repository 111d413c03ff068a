#include "shm/dealer.hpp"

#include <utility>

#include "base/mutation.hpp"

namespace pystream::shm {
namespace {

std::uint32_t items_in(const RecordHeader& header, const std::byte* payload) {
  switch (kind_in(header.number_and_kind)) {
    case RecordKind::run:
      return copy_from<RunHead>(payload).items;
    case RecordKind::item:
    case RecordKind::large_item:
      return 1;
    default:
      return 0;
  }
}

}  // namespace

/// Spreads keys that differ in few bits, by the finalizer of SplitMix64 (Steele, Lea and Flood 2014).
std::uint32_t taker_of_key(std::uint64_t key, std::uint32_t takers) {
  key = (key ^ key >> 30) * 0xbf58476d1ce4e5b9;
  key = (key ^ key >> 27) * 0x94d049bb133111eb;
  key ^= key >> 31;
  return static_cast<std::uint32_t>(key % takers);
}

Dealer::Dealer(Sharing sharing, std::uint32_t takers, KeyOf key_of)
    : sharing_(sharing), takers_(takers), key_of_(std::move(key_of)) {
  if (sharing_ == Sharing::least_loaded) {
    loads_.resize(takers_);
  }
}

std::uint32_t Dealer::deal(const Dealt& record, const Consumers& consumers) {
  if (sharing_ == Sharing::key) {
    // A mark has no key, and it does not matter who answers it.
    return record.items != 0 && key_of_ ? taker_of_key(key_of_(record.payload), takers_) : 0;
  }
  const std::uint32_t to = sharing_ == Sharing::least_loaded ? least_loaded(consumers) : turn_;
  if (sharing_ == Sharing::least_loaded) {
    add(to, record);
  }
  turn_ = behind(to);
  return to;
}

/// Of several that have the same to do, the one that is next in turn.
std::uint32_t Dealer::least_loaded(const Consumers& consumers) {
  std::uint32_t least = turn_;
  std::uint32_t consumer = turn_;
  for (std::uint32_t i = 0; i < takers_; ++i, consumer = behind(consumer)) {
    Load& load = loads_[consumer];
    // Untrusted, and no more than a hint.
    const std::uint64_t done = consumers.done_number(consumer);
    while (!load.units.empty() && load.units.front().end <= done) {
      load.items -= load.units.front().items;
      load.units.pop_front();
    }
    if (load.items < loads_[least].items) {
      least = consumer;
    }
  }
  return least;
}

void Dealer::add(std::uint32_t to, const Dealt& record) {
  const std::uint32_t items = record.items != 0 ? record.items : 1;
  loads_[to].units.push_back({.end = record.number + items, .items = items});
  loads_[to].items += items;
}

void Dealer::rollback_to(std::uint32_t turn, std::uint64_t number) {
  turn_ = turn;
  for (Load& load : loads_) {
    while (!load.units.empty() && load.units.back().end > number) {
      load.items -= load.units.back().items;
      load.units.pop_back();
    }
  }
}

void Dealer::find(const RingBytes& ring, std::uint64_t from, std::uint64_t to, const ProducerCheck& check) {
  if (loads_.empty()) {
    return;
  }
  for_each_record(ring, from, to, check, [&](const RecordHeader& header, const std::byte* payload, std::uint64_t) {
    if (is_dealt(header.number_and_kind)) {
      const std::uint64_t taker = header.sequence >> kConsumerShift;
      check(taker < takers_, "it has dealt to a consumer that there is not");
      add(static_cast<std::uint32_t>(taker),
          {.number = number_in(header.number_and_kind), .items = items_in(header, payload)});
    }
  });
}

}  // namespace pystream::shm
