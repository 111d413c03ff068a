#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "shm/written.hpp"

namespace pystream::shm {

/// Which inputs of a worker its output records refer to. There are no reference counts: after a crash the references
/// follow from the records that are not released.
class References {
 public:
  /// The record that ends at position `end` refers to the input with that number.
  void add(std::uint64_t end, std::uint64_t input) { records_.push_back({.end = end, .input = input}); }
  /// Adds those of the records from position `from` to `to`.
  void find(const RingBytes& ring, std::uint64_t from, std::uint64_t to, const ProducerCheck& check) {
    for_each_record(ring, from, to, check,
                    [&](const RecordHeader& header, const std::byte* payload, std::uint64_t end) {
                      if (kind_in(header.number_and_kind) == RecordKind::reference) {
                        add(end, copy_from<LargeReference>(payload).input);
                      }
                    });
  }
  /// The consumer has released the records before `position`.
  void release_before(std::uint64_t position) {
    while (!records_.empty() && records_.front().end <= position) {
      records_.pop_front();
    }
  }
  /// The records behind `position` never happened.
  void rollback_to(std::uint64_t position) {
    while (!records_.empty() && records_.back().end > position) {
      records_.pop_back();
    }
  }
  bool any() const { return !records_.empty(); }
  std::optional<std::uint64_t> oldest_input() const {
    return records_.empty() ? std::nullopt : std::optional(records_.front().input);
  }

 private:
  struct Referring {
    std::uint64_t end;
    std::uint64_t input;
  };
  std::deque<Referring> records_;  ///< oldest first
};

}  // namespace pystream::shm
