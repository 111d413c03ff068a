#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shm/ring_reader.hpp"
#include "shm/waiting.hpp"

namespace pystream::worker {

/// Takes, for each item that several branches got, the records of the branch that is the first to give some, and steps
/// over those of the others. If none gives any, the item is answered with nothing.
///
/// Invariants:
/// 1. Which branch was the first, how many items each has answered, and how far it is in each link, become valid
///    together, by the write position of the segment's output (see shm::Done). So a successor gives no second answer.
/// 2. Records are numbered in the order in which they are taken: numbers of single links have no meaning elsewhere.
/// 3. What was stepped over is released only after a commit that says so.
class FirstAnswer {
 public:
  /// Journal entries for this many links.
  static std::size_t journal_entries(std::size_t links) { return 2 * links + 1; }
  /// `journal`: as numbers() had it, all 0 at first; `winner`: as turn() had it; `done`: records taken so far. `links`
  /// outlive this.
  FirstAnswer(std::span<shm::RingReader> links, std::span<const std::uint64_t> journal, std::uint32_t winner,
              std::uint64_t done);

  /// The next record, or nullptr: there is none yet. It closes one region less than in its link. Valid until the next
  /// call.
  const shm::Record* try_peek();
  /// Steps over what try_peek() gave.
  void advance();
  std::uint64_t next_number() const { return done_; }

  /// Number of the first record of each link that was not stepped over, how many items each has answered, and which
  /// item is next.
  std::span<const std::uint64_t> numbers() const { return progress_; }
  /// 1 + the branch whose answer is being taken; 0: none has answered.
  std::uint32_t turn() const { return winner_; }
  /// Something was stepped over since the last release().
  bool moved() const { return moved_; }
  bool has_unreleased() const;
  /// REQUIRES: the commit of numbers() and turn().
  void release();
  /// What changes when there may be more. REQUIRES: try_peek() gave nothing.
  std::vector<shm::Watched> more();

 private:
  std::uint64_t& number(std::size_t index) { return progress_[index]; }
  std::uint64_t& answered(std::size_t index) { return progress_[links_.size() + index]; }
  std::uint64_t& item() { return progress_.back(); }
  std::uint64_t item() const { return progress_.back(); }
  void step_over(std::size_t index, bool closes);
  bool awaits(std::size_t index) const;
  bool others_answered(std::size_t index) const;
  bool seek(std::size_t index);
  void give(const shm::Record& record);

  std::span<shm::RingReader> links_;
  std::vector<std::uint64_t> progress_;
  std::uint32_t winner_;
  std::uint64_t done_;
  shm::Record record_;              ///< in hand
  bool closes_ = false;             ///< what is in hand is the last of its item
  std::vector<std::uint8_t> over_;  ///< of each link: its end was read
  bool moved_ = false;
};

}  // namespace pystream::worker
